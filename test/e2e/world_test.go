//go:build e2e

// Package e2e drives the real programs against real servers and lets stock
// tools judge what comes out. `make e2e` runs it; test/e2e/setup installs what
// it needs; package lab starts the servers.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// world is what the tests share: the servers, and gates that a test which
// breaks them does not share.
type world struct {
	*lab.Lab
	images   []lab.Image
	registry *lab.Registry
	repos    *lab.Repos
	bundle   string // the program
	flannel  string // kube-flannel.yml
}

var (
	running *lab.Lab // for TestMain to close
	start   = sync.OnceValues(startWorld)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if running != nil {
		if err := running.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot end the lab:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func startWorld() (*world, error) {
	l, err := lab.New(func(format string, args ...any) { fmt.Printf("lab: "+format+"\n", args...) })
	if err != nil {
		return nil, err
	}
	running = l
	ctx := context.Background()
	w := &world{Lab: l}
	// KUBECRATE_BUNDLE names another build of the program, with install beside it.
	if w.bundle = os.Getenv("KUBECRATE_BUNDLE"); w.bundle == "" {
		w.bundle = "../../bin/bundle"
	}
	if w.bundle, err = filepath.Abs(w.bundle); err != nil {
		return nil, err
	}
	if _, err := os.Stat(w.bundle); err != nil {
		return nil, fmt.Errorf("%w: run make build", err)
	}
	if w.flannel, err = filepath.Abs("../../manifest/files/kube-flannel-0.14.0.yml"); err != nil {
		return nil, err
	}
	if w.images, err = l.Standard(ctx); err != nil {
		return nil, err
	}
	if w.registry, err = l.Filled(ctx, "standard", w.images); err != nil {
		return nil, err
	}
	w.repos, err = l.MakeRepos(ctx, lab.SharedData("."))
	return w, err
}

// inWorld gives the shared servers, or skips where this machine cannot run them.
func inWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "the lab needs root")
	}
	for _, tool := range []string{"docker-registry", "debootstrap", "createrepo_c", "rpmbuild", "rpmsign", "gpg", "skopeo", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "the lab needs "+tool+": run test/e2e/setup")
		}
	}
	w, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("KUBECRATE_LAB") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// site is a folder with a manifest, a cache and a target of its own, and gates
// of its own before the shared servers.
type site struct {
	*world
	t     *testing.T
	dir   string // holds lab.yaml
	cache string
	out   string
	hub   *lab.Gate
	yum   *lab.Gate
}

// options say how a site's manifest differs from the whole bundle.
type options struct {
	images   []string // the default profile's list is replaced by these, nil keeps it
	packages bool     // the closure of the profile's roots on an empty host
	extra    string   // YAML, appended
}

func newSite(t *testing.T, o options) *site {
	t.Helper()
	w := inWorld(t)
	dir := t.TempDir()
	s := &site{world: w, t: t, dir: dir, cache: filepath.Join(dir, "cache"), out: filepath.Join(dir, "out")}
	var err error
	if s.hub, err = w.Before(w.registry); err != nil {
		t.Fatal(err)
	}
	if s.yum, err = w.Serve(w.repos.Root); err != nil {
		t.Fatal(err)
	}
	s.write("lab.yaml", s.manifest(o))
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// manifest extends the default profile with the site's gates as mirrors.
func (s *site) manifest(o options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("apiVersion: kubecrate/v1\nkind: Bundle\nname: lab\nextends: kubernetes-1.17.4-el7")
	p("packages:\n  baseline: none")
	if !o.packages {
		p("  roots:")
		for _, root := range []string{"docker-ce", "kubeadm", "kubelet", "kubectl", "kubernetes-cni", "cri-tools", "ipset", "ipvsadm", "chrony"} {
			p("    - -%s", root)
		}
	}
	p("  repos:")
	for _, id := range []string{lab.RepoBase, lab.RepoUpdates, lab.RepoExtras, lab.RepoDocker, lab.RepoKubernetes} {
		p("    - id: %s\n      baseurl: [%s/%s]", id, s.yum.URL, id)
		trust := s.repos.Trust(id)
		p("      gpgkey: [%s]\n      fingerprints: [%s]", strings.Join(trust.Keys, ", "), strings.Join(trust.Fingerprints, ", "))
	}
	p("images:\n  mirrors:")
	p("    k8s.gcr.io: [%[1]s/google_containers]\n    quay.io: [%[1]s]\n    docker.io: [%[1]s]", s.hub.Addr)
	p("  list:")
	if o.images != nil {
		for _, name := range profileImages() {
			p("    - -%s", name)
		}
	} else {
		p("    - k8s.gcr.io/conformance:v1.17.4")
	}
	for _, name := range o.images {
		p("    - %s", name)
	}
	p("files:")
	if o.images != nil {
		p("  - {url: %s, path: manifests/kube-flannel.yml}", s.flannel)
	} else {
		p("  - {url: %s, path: manifests/kube-flannel.yml, images: true, roles: [master]}", s.flannel)
	}
	b.WriteString(o.extra)
	return b.String()
}

// profileImages are the images that the default profile lists.
func profileImages() []string {
	return []string{"k8s.gcr.io/kube-apiserver", "k8s.gcr.io/kube-controller-manager", "k8s.gcr.io/kube-scheduler",
		"k8s.gcr.io/kube-proxy", "k8s.gcr.io/pause", "k8s.gcr.io/etcd", "k8s.gcr.io/coredns", "nginx"}
}

// ran is a program's end.
type ran struct {
	code           int
	stdout, stderr string
}

// command prepares bundle VERB with the site's cache.
func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bundle, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+s.cache, "HOME="+s.dir)
	return cmd
}

// run runs bundle ARGS in the site's folder.
func (s *site) run(args ...string) ran {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Minute)
	defer cancel()
	return s.wait(s.command(ctx, args...))
}

func (s *site) wait(cmd *exec.Cmd) ran {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("cannot run %v: %v", cmd.Args, err)
	}
	return ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// build runs bundle build lab.yaml with more flags.
func (s *site) build(args ...string) ran {
	s.t.Helper()
	return s.run(append([]string{"build", "lab.yaml", "-o", s.out, "--progress", "plain"}, args...)...)
}

// mustBuild is build where it has to succeed; it returns the archive's path.
func (s *site) mustBuild(args ...string) string {
	s.t.Helper()
	if r := s.build(args...); r.code != 0 {
		s.t.Fatalf("build: exit code %d\n%s", r.code, said(r.stderr))
	}
	return s.archive()
}

func (s *site) archive() string { return filepath.Join(s.out, "lab-amd64.tar.zst") }

// said is what a program said but for its progress.
func said(stderr string) string {
	var kept []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "fetch ") || strings.Contains(line, "failed") && !strings.Contains(line, "context canceled") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-12):], "")
}

// tool runs a stock tool that has to succeed.
func (s *site) tool(argv ...string) string {
	s.t.Helper()
	return s.toolIn("", argv...)
}

func (s *site) toolIn(dir string, argv ...string) string {
	s.t.Helper()
	out, err := lab.RunIn(s.t.Context(), dir, nil, argv...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// readJSON reads a JSON file into v.
func (s *site) readJSON(path string, v any) {
	s.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
}

// entries are the names in a folder; an absent one has none.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
