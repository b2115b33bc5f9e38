//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/test/e2e/lab"
)

// TestStockTools builds the whole bundle and reads it with the tools that an
// operator has anyway.
func TestStockTools(t *testing.T) {
	s := newSite(t, options{packages: true})
	archive := s.mustBuild()
	tree := filepath.Join(s.dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("sidecar", func(t *testing.T) { s.on(t).toolIn(s.out, "sha256sum", "-c", filepath.Base(archive)+".sha256") })
	t.Run("zstd", func(t *testing.T) { s.on(t).tool("zstd", "-q", "-t", archive) })
	s.tool("tar", "--zstd", "-xf", archive, "-C", tree)
	t.Run("sums", func(t *testing.T) { s.on(t).toolIn(tree, "sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS") })
	t.Run("pipe", func(t *testing.T) { s.on(t).listsTheSame(archive) })
	t.Run("verify", func(t *testing.T) {
		if r := s.on(t).run("verify", archive); r.code != 0 {
			t.Errorf("verify: exit code %d\n%s", r.code, said(r.stderr))
		}
	})
	names := s.imageNames(tree)
	t.Run("names", func(t *testing.T) {
		for _, want := range []string{"quay.io/coreos/flannel:v0.14.0", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/conformance:v1.17.4"} {
			if !slices.Contains(names, want) {
				t.Errorf("%s is not in images/manifest.json: %v", want, names)
			}
		}
		if want := len(s.images); len(names) != want {
			t.Errorf("%d images, want %d: %v", len(names), want, names)
		}
	})
	t.Run("skopeo", func(t *testing.T) { s.on(t).skopeo(tree) })
	t.Run("docker", func(t *testing.T) { s.on(t).docker(tree) })
	t.Run("ctr", func(t *testing.T) { s.on(t).ctr(tree, names) })
	t.Run("yum", func(t *testing.T) { s.on(t).dnf(tree) })
	t.Run("signatures", func(t *testing.T) { s.on(t).rpmkeys(tree) })
	t.Run("signed", func(t *testing.T) { s.on(t).signed(archive, tree) })
	t.Run("installer", func(t *testing.T) { s.on(t).tool(filepath.Join(s.out, "install-linux-amd64"), "--version") })
}

// on is the site for a subtest.
func (s *site) on(t *testing.T) *site {
	sub := *s
	sub.t = t
	return &sub
}

// listsTheSame is zstd -dc | tar t: the members of index.json, in its order.
func (s *site) listsTheSame(archive string) {
	s.t.Helper()
	listed := s.tool("tar", "--zstd", "-tf", archive)
	var index struct{ Members []struct{ Path string } }
	s.readJSON(filepath.Join(s.dir, "tree", "index.json"), &index)
	var got []string
	for line := range strings.Lines(listed) {
		if name := strings.TrimSpace(line); !strings.HasSuffix(name, "/") && name != "index.json" {
			got = append(got, name)
		}
	}
	var want []string
	for _, m := range index.Members {
		want = append(want, m.Path)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("tar lists %d members, index.json %d, or in another order:\n%v\n%v", len(got), len(want), got, want)
	}
}

// loaded is an entry of docker's manifest.json.
type loaded struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (s *site) manifests(tree string) []loaded {
	s.t.Helper()
	var list []loaded
	s.readJSON(filepath.Join(tree, "images", "manifest.json"), &list)
	return list
}

func (s *site) imageNames(tree string) []string {
	s.t.Helper()
	var names []string
	for _, m := range s.manifests(tree) {
		names = append(names, m.RepoTags...)
	}
	return names
}

// skopeo inspects every reference of the OCI layout and compares the config
// with the one that the registry has: the image ID did not change.
func (s *site) skopeo(tree string) {
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	s.readJSON(filepath.Join(tree, "images", "index.json"), &index)
	if len(index.Manifests) != len(s.images) {
		s.t.Errorf("index.json has %d manifests, want %d", len(index.Manifests), len(s.images))
	}
	for _, m := range index.Manifests {
		name := m.Annotations["org.opencontainers.image.ref.name"]
		layout := "oci:" + filepath.Join(tree, "images") + ":" + name
		s.tool("skopeo", "inspect", layout)
		config := s.tool("skopeo", "inspect", "--config", "--raw", layout)
		for _, img := range s.images {
			if strings.HasSuffix(name, img.Name) {
				up := s.tool("skopeo", "inspect", "--config", "--raw", "--override-arch", "amd64", "--tls-verify=false",
					"docker://"+s.registry.Addr+"/"+img.Path)
				if up != config {
					s.t.Errorf("%s has another config than the registry's", name)
				}
			}
		}
	}
}

// docker loads the images folder; the IDs are the digests of the configs.
func (s *site) docker(tree string) {
	d, err := s.StartDocker(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := d.Load(s.t.Context(), filepath.Join(tree, "images")); err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.manifests(tree) {
		config, err := os.ReadFile(filepath.Join(tree, "images", filepath.FromSlash(m.Config)))
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(config)
		for _, tag := range m.RepoTags {
			id, err := d.Run(s.t.Context(), "image", "inspect", "--format", "{{.Id}}", tag)
			if err != nil {
				s.t.Error(err)
				continue
			}
			if want := "sha256:" + hex.EncodeToString(sum[:]); strings.TrimSpace(id) != want {
				s.t.Errorf("docker's ID of %s is %s, want %s", tag, strings.TrimSpace(id), want)
			}
		}
	}
}

// ctr imports the images folder under its canonical names.
func (s *site) ctr(tree string, names []string) {
	c, err := s.StartContainerd(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Import(s.t.Context(), filepath.Join(tree, "images")); err != nil {
		s.t.Fatal(err)
	}
	listed, err := c.Run(s.t.Context(), "images", "list", "--quiet")
	if err != nil {
		s.t.Fatal(err)
	}
	have := strings.Fields(listed)
	for _, name := range names {
		if !strings.Contains(strings.Split(name, ":")[0], "/") {
			name = "docker.io/library/" + name
		}
		if !slices.Contains(have, name) {
			s.t.Errorf("containerd has no %s: %v", name, have)
		}
	}
	if out, err := c.Run(s.t.Context(), "images", "check"); err != nil || strings.Contains(out, "incomplete") {
		s.t.Errorf("images check: %v\n%s", err, out)
	}
}

// dnf installs the roots into an empty root from the bundle's rpms/ alone.
func (s *site) dnf(tree string) {
	root := filepath.Join(s.dir, "root")
	roots := []string{"docker-ce-18.06.3.ce-3.el7", "kubeadm-1.17.4-0", "kubelet-1.17.4-0", "kubectl-1.17.4-0",
		"kubernetes-cni-0.8.7-0", "cri-tools-1.13.0-0", "ipset", "ipvsadm", "chrony"}
	argv := append([]string{"dnf", "-y", "--disablerepo=*", "--setopt=reposdir=/nonexistent", "--setopt=cachedir=" + s.dir + "/dnf",
		"--repofrompath=b,file://" + filepath.Join(tree, "rpms"), "--releasever=7", "--nogpgcheck", "--installroot=" + root, "install"}, roots...)
	s.tool(argv...)
	installed := strings.Fields(s.tool("rpm", "--root", root, "--dbpath", s.rpmdb(root), "-qa", "--qf", "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n"))
	carried, err := filepath.Glob(filepath.Join(tree, "rpms", "*.rpm"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("dnf installed %d packages into an empty root, the bundle carries %d; made of real RPMs: %v", len(installed), len(carried), s.repos.Real)
	// The closure is exact on an empty host: nothing is missing, nothing is carried for nothing.
	for _, file := range carried {
		if !slices.Contains(installed, filepath.Base(file)) {
			s.t.Errorf("carried, and not installed: %s", filepath.Base(file))
		}
	}
	if len(installed) != len(carried) {
		s.t.Errorf("dnf installed %d packages, the bundle carries %d", len(installed), len(carried))
	}
	if s.repos.Real && len(installed) < 100 {
		s.t.Errorf("the closure over the real RPMs has only %d packages", len(installed))
	}
}

// rpmdb is where dnf of this machine keeps the database inside root.
func (s *site) rpmdb(root string) string {
	s.t.Helper()
	for _, dir := range []string{"/var/lib/rpm", "/root/.rpmdb", "/usr/lib/sysimage/rpm"} {
		if found := entries(s.t, root+dir); len(found) > 0 {
			return dir
		}
	}
	s.t.Fatalf("dnf left no database below %s", root)
	return ""
}

// rpmkeys checks every carried RPM with rpm's own verifier and the keys.
func (s *site) rpmkeys(tree string) {
	db := filepath.Join(s.dir, "keys")
	s.tool("rpm", "--dbpath", db, "--initdb")
	for _, repo := range []string{lab.RepoBase, lab.RepoUpdates} {
		for _, key := range s.repos.Trust(repo).Keys {
			s.tool("rpmkeys", "--dbpath", db, "--import", key)
		}
	}
	carried, err := filepath.Glob(filepath.Join(tree, "rpms", "*.rpm"))
	if err != nil {
		s.t.Fatal(err)
	}
	out := s.tool(append([]string{"rpmkeys", "--dbpath", db, "--checksig"}, carried...)...)
	for line := range strings.Lines(out) {
		if !strings.HasSuffix(strings.TrimSpace(line), "digests signatures OK") {
			s.t.Errorf("rpmkeys: %s", line)
		}
	}
}
