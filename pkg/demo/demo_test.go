package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/progress"
)

// world is the demo's mirror, and a directory with its manifest.
type world struct {
	t    *testing.T
	dir  string
	file string
	said []string
}

func start(t *testing.T) *world {
	t.Helper()
	m, err := startMirror(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, dir: t.TempDir()}
	if w.file, err = writeManifest(w.dir, m); err != nil {
		t.Fatal(err)
	}
	return w
}

// load reads a manifest that lays text over the demo's.
func (w *world) load(text string, set ...string) *manifest.Manifest {
	w.t.Helper()
	file := filepath.Join(w.dir, "over.yaml")
	head := "apiVersion: kubecrate/v1\nkind: Bundle\nname: over\nextends: ./demo.yaml\n"
	if err := os.WriteFile(file, []byte(head+text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	m, err := manifest.Load(file)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := m.Override(manifest.Overrides{Set: set}); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) sources(m *manifest.Manifest) *bundle.Sources {
	w.t.Helper()
	w.said = nil
	s, err := bundle.OpenSources(m, bundle.SourceOptions{
		Cache: filepath.Join(w.dir, "cache"), Jobs: 2, Retries: 2, Stall: time.Minute,
		Report: func(e progress.Event) {
			if e.Kind == progress.Warn {
				w.said = append(w.said, e.Text)
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestPartsAgree: what a manifest says is compared with what it locks, however it
// came to say so, and a lock that somebody changed is compared again.
func TestPartsAgree(t *testing.T) {
	t.Parallel()
	w := start(t)
	m := w.load("")
	s := w.sources(m)
	good, err := bundle.Lock(t.Context(), m, s)
	if err != nil || len(w.said) > 0 {
		t.Fatalf("the demo's own manifest: %v, warnings %q", err, w.said)
	}
	for _, c := range []struct {
		text, set string
		says      []string
	}{
		{"kubernetes: v1.17.17\n", "", []string{"v1.17.17", "kubelet-1.17.4-0", "kube-proxy:v1.17.4"}},
		{"", "kubernetes=v1.18.2", []string{"v1.18.2", "kubeadm-1.17.4-0"}},
		{"packages: {roots: [kubeadm-1.18.2-0, kubelet-1.18.2-0, kubectl-1.18.2-0]}\n", "", []string{"v1.17.4", "kubelet-1.18.2-0"}},
		{"runtime: containerd\n", "", []string{"runtime is containerd", "docker-ce"}},
		{"", "runtime=containerd", []string{"runtime is containerd", "docker-ce"}},
		{"images: {list: [-k8s.gcr.io/etcd]}\n", "", []string{"v1.17.4", "k8s.gcr.io/etcd:3.4.3-0"}},
		{"images: {list: [{name: 'nginx:1.14-alpine', keepDigest: true}]}\n", "", []string{"docker", "keepDigest", "nginx:1.14-alpine"}},
		{"", "platform.family=el8", []string{"el8", "centos-7-minimal", "el7"}},
		{"", "platform.arch=arm64", []string{"arm64", "centos-7-minimal", "x86_64"}},
		{"files: [{url: ./demo.gpg, path: manifests/kube-flannel.yml}]\n", "", []string{"network is flannel", "manifests/"}},
	} {
		var set []string
		if c.set != "" {
			set = []string{c.set}
		}
		m := w.load(c.text, set...)
		_, err := bundle.Lock(t.Context(), m, w.sources(m))
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s%s: %q is not in: %v", c.text, c.set, s, err)
			}
		}
	}
	good.Images = good.Images[1:]
	m = w.load("")
	installer := filepath.Join(w.dir, "install")
	if err := os.WriteFile(installer, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = bundle.Build(t.Context(), m, good, w.sources(m), bundle.BuildOptions{Dir: filepath.Join(w.dir, "out"), Level: archive.Default, Installer: installer})
	if err == nil || !strings.Contains(err.Error(), "not packed: k8s.gcr.io/") {
		t.Errorf("a lock without an image is built: %v", err)
	}
}

// TestWhatFilesName: an image that a file runs is for every role, and one that it
// only mentions is warned of, by name.
func TestWhatFilesName(t *testing.T) {
	t.Parallel()
	w := start(t)
	yaml := `apiVersion: apps/v1
kind: StatefulSet
spec:
  template:
    spec:
      containers: [{name: db, image: "k8s.gcr.io/etcd:3.4.3-0", args: ["--sidecar=registry.example/team/sidecar:2.0", "--web=nginx:1.14-alpine"]}]
`
	if err := os.WriteFile(filepath.Join(w.dir, "app.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	roles := func(m *manifest.Manifest) map[string]int {
		l, err := bundle.Lock(t.Context(), m, w.sources(m))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, img := range l.Images {
			found[img.Name] = len(img.Roles)
		}
		return found
	}
	if got := roles(w.load("")); got["k8s.gcr.io/etcd:3.4.3-0"] != 1 || got["k8s.gcr.io/kube-apiserver:v1.17.4"] != 1 || got["k8s.gcr.io/kube-proxy:v1.17.4"] != 0 || len(w.said) > 0 {
		t.Errorf("roles of the control plane: %v, warnings %q", got, w.said)
	}
	got := roles(w.load("files: [{url: ./app.yaml, path: manifests/app.yaml, images: true}]\n"))
	if got["k8s.gcr.io/etcd:3.4.3-0"] != 0 || got["k8s.gcr.io/kube-apiserver:v1.17.4"] != 1 {
		t.Errorf("roles of what an application runs, too: %v", got)
	}
	if len(w.said) != 1 || !strings.Contains(w.said[0], "manifests/app.yaml") || !strings.Contains(w.said[0], "registry.example/team/sidecar:2.0 (line 6)") ||
		!strings.Contains(w.said[0], "images.list") || strings.Contains(w.said[0], "nginx") {
		t.Errorf("warnings %q", w.said)
	}
}
