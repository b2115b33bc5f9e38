//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kubecrate/test/e2e/lab"
)

const (
	smallImage = "k8s.gcr.io/kube-apiserver:v1.17.4" // one layer of 8 MB
	largeImage = "k8s.gcr.io/conformance:v1.17.4"    // more than 500 MB unpacked
	blobs      = `/v2/.*/blobs/sha256:`              // everything but manifests
	hasty      = "--stall=2s"                        // for mirrors that hang
	twice      = "--retries=2"                       // for mirrors that stay broken
)

// fault is a mirror that misbehaves for good, and what the build says.
type fault struct {
	name  string
	fault lab.Fault
	args  []string
	says  []string // each a regular expression in what is printed
}

func registryFaults() []fault {
	path := regexp.MustCompile(blobs)
	return []fault{
		{"500", lab.Fault{Path: path, Status: 500}, []string{twice}, []string{`500`, `kube-apiserver`}},
		{"500 for all", lab.Fault{Path: regexp.MustCompile(`/v2/.*/`), Status: 500}, []string{twice}, []string{`500`, `kube-apiserver`}},
		{"hang", lab.Fault{Path: path, Hang: true}, []string{twice, hasty}, []string{`kube-apiserver`, `2s|stall|no byte|timed? ?out`}},
		{"wrong bytes", lab.Fault{Path: path, Corrupt: true}, []string{twice}, []string{`kube-apiserver`, `sha256|digest`}},
		{"cut", lab.Fault{Path: path, Cut: 100_000}, []string{twice}, nil},
	}
}

// TestRegistryFaults breaks the only mirror: the build fails with a message
// that names the image and leaves nothing in the target. Fixed, the same
// command succeeds. With a second mirror, it never fails.
func TestRegistryFaults(t *testing.T) {
	for _, f := range registryFaults() {
		t.Run(f.name, func(t *testing.T) {
			s := newSite(t, options{images: []string{smallImage}})
			s.lockBefore(f)
			s.hub.Break(f.fault)
			r := s.build(f.args...)
			if f.says != nil {
				s.failed(r, 1, f.says...)
			} // a cut that comes again and again may be overcome by resuming
			s.hub.Break()
			s.mustBuild()
		})
		t.Run(f.name+", second mirror", func(t *testing.T) {
			s := newSite(t, options{images: []string{smallImage}})
			s.lockBefore(f)
			s.hub.Break(f.fault)
			mirrors := "k8s.gcr.io=" + s.hub.Addr + "/google_containers," + s.registry.Addr + "/google_containers"
			s.mustBuild(append([]string{"--mirror", mirrors}, f.args...)...)
		})
	}
}

// lockBefore locks where the fault is for layers: a lock needs the configs.
func (s *site) lockBefore(f fault) {
	s.t.Helper()
	if f.fault.Path.MatchString("/v2/x/manifests/y") {
		return
	}
	if r := s.run("lock", "lab.yaml"); r.code != 0 {
		s.t.Fatalf("lock: exit code %d\n%s", r.code, said(r.stderr))
	}
}

// failed asserts an exit code, what was said, and an empty target.
func (s *site) failed(r ran, code int, says ...string) {
	s.t.Helper()
	if r.code != code {
		s.t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, want := range says {
		if !regexp.MustCompile(want).MatchString(r.stderr) {
			s.t.Errorf("it does not say %q", want)
		}
	}
	if left := entries(s.t, s.out); len(left) > 0 {
		s.t.Errorf("it left %v in the target", left)
	}
	s.t.Logf("exit code %d, and said:\n%s", r.code, said(r.stderr))
}

// TestCutAt20MB: a connection that breaks after 20 MB is resumed where it broke.
func TestCutAt20MB(t *testing.T) {
	s := newSite(t, options{images: []string{largeImage}})
	s.mustBuild("--level", "fast", "--cache", filepath.Join(s.dir, "cold"))
	whole := s.hub.Total()
	if whole < 60e6 {
		t.Fatalf("the image is only %d bytes", whole)
	}
	s.hub.Reset()
	s.hub.Break(lab.Fault{Path: regexp.MustCompile(blobs), Cut: 20e6, Times: 2})
	s.mustBuild("--level", "fast")
	if got := s.hub.Total(); got > whole+1e6 {
		t.Errorf("with two cuts %d bytes were served, without any %d: it began again", got, whole)
	}
}

// TestMissing: what the mirror does not have.
func TestMissing(t *testing.T) {
	s := newSite(t, options{images: []string{"nginx:9.9-alpine"}})
	s.failed(s.build(), 1, `nginx:9\.9-alpine`, `not found|404|no such|unknown|does not exist`)
	s = newSite(t, options{images: []string{"k8s.gcr.io/paws:3.1"}})
	s.failed(s.build(), 1, `k8s\.gcr\.io/paws:3\.1`)
}

// TestManifestFaults: what a person writes wrong is told with line and column.
func TestManifestFaults(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}, extra: "pakages: {}\n"})
	s.failed(s.build(), 1, `lab\.yaml:\d+:1`, `pakages`, `packages`)
	s = newSite(t, options{images: []string{smallImage}})
	s.failed(s.build("--lvl", "best"), 2, `lvl`)
}

// yumSite is a site whose packages come from one more repository.
func yumSite(t *testing.T, repo, root string) *site {
	t.Helper()
	// No part of Kubernetes, which would want its other parts.
	apart := options{images: []string{"nginx:1.14-alpine"}}
	s := newSite(t, apart)
	var extra strings.Builder
	extra.WriteString("packages:\n  baseline: none\n  roots: [" + root + ", -docker-ce, -kubeadm, -kubelet, -kubectl, -kubernetes-cni, -cri-tools, -ipset, -ipvsadm, -chrony]\n  repos:\n")
	for _, id := range []string{lab.RepoBase, lab.RepoUpdates, lab.RepoExtras, lab.RepoDocker, lab.RepoKubernetes, repo} {
		extra.WriteString("    - {id: " + id + ", baseurl: [" + s.yum.URL + "/" + id + "], gpgkey: [" + s.repos.Signer.Public +
			"], fingerprints: [" + s.repos.Signer.Fingerprint + "]}\n")
	}
	text := s.manifest(apart)
	from, to := strings.Index(text, "packages:\n"), strings.Index(text, "images:\n")
	s.write("lab.yaml", text[:from]+extra.String()+text[to:])
	return s
}

// odd makes the repository of one package, signed by sign.
func (s *site) odd(repo string, spec lab.Spec, sign func(ctx context.Context, file string) error) {
	s.t.Helper()
	dir := filepath.Join(s.repos.Root, repo)
	s.t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			s.t.Error(err)
		}
	})
	if err := s.BuildRPMs(s.t.Context(), dir, spec); err != nil {
		s.t.Fatal(err)
	}
	if err := sign(s.t.Context(), filepath.Join(dir, spec.FileName())); err != nil {
		s.t.Fatal(err)
	}
	if err := lab.CreateRepo(s.t.Context(), dir); err != nil {
		s.t.Fatal(err)
	}
}

// TestPackageFaults: signatures, metadata and closures that are wrong.
func TestPackageFaults(t *testing.T) {
	spec := lab.Spec{Name: "odd", Version: "1.0", Release: "1", Files: map[string]string{"/usr/bin/odd": "#!/bin/sh"}}
	unsigned := func(context.Context, string) error { return nil }
	t.Run("unsigned", func(t *testing.T) {
		s := yumSite(t, "unsigned", "odd")
		s.odd("unsigned", spec, unsigned)
		s.failed(s.build(), 1, `odd-1\.0-1`, `not signed|unsigned|no signature`)
		s.write("lab.yaml", strings.ReplaceAll(s.read("lab.yaml"), "id: unsigned,", "id: unsigned, gpgcheck: false,"))
		s.mustBuild("--update")
	})
	t.Run("another key", func(t *testing.T) {
		s := yumSite(t, "stranger", "odd")
		stranger, err := s.NewSigner(t.Context(), "stranger")
		if err != nil {
			t.Fatal(err)
		}
		s.odd("stranger", spec, func(ctx context.Context, file string) error { return stranger.Sign(ctx, file) })
		s.failed(s.build(), 1, `odd-1\.0-1`, `key`)
	})
	t.Run("package changed", func(t *testing.T) {
		s := yumSite(t, "changed", "odd")
		s.odd("changed", spec, func(ctx context.Context, file string) error { return s.repos.Signer.Sign(ctx, file) })
		s.yum.Break(lab.Fault{Path: regexp.MustCompile(`odd-1\.0-1.*rpm$`), Corrupt: true})
		s.failed(s.build(twice), 1, `odd-1\.0-1`, `sha256|checksum|digest`)
	})
	t.Run("metadata changed", func(t *testing.T) {
		s := yumSite(t, "meta", "odd")
		s.odd("meta", spec, func(ctx context.Context, file string) error { return s.repos.Signer.Sign(ctx, file) })
		s.yum.Break(lab.Fault{Path: regexp.MustCompile(`/meta/repodata/.*primary`), Corrupt: true})
		s.failed(s.build(twice), 1, `primary`, `sha256|checksum|digest`, `hint: .*--repo meta=URL`)
	})
	t.Run("unsolvable", func(t *testing.T) {
		s := yumSite(t, "unsolvable", "odd")
		needy := spec
		needy.Requires = []string{"unobtainium >= 2.0"}
		s.odd("unsolvable", needy, func(ctx context.Context, file string) error { return s.repos.Signer.Sign(ctx, file) })
		s.failed(s.build(), 1, `odd`, `unobtainium >= 2\.0`, `hint: .*packages\.repos`)
	})
	t.Run("root unknown", func(t *testing.T) {
		s := yumSite(t, "empty", "odd-99.0")
		s.odd("empty", spec, unsigned)
		s.failed(s.build(), 1, `odd-99\.0`, `hint: .*packages\.roots`)
	})
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}
