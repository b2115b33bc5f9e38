package cri_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/nevra"
)

// TestRuntimes: a manifest may name each runtime, and the table is complete for each.
func TestRuntimes(t *testing.T) {
	t.Parallel()
	var names []string
	sockets, dirs := map[string]bool{}, map[string]bool{}
	for _, r := range cri.All() {
		names = append(names, r.Name())
		if got, err := cri.All().For(r.Name()); err != nil || got.Name() != r.Name() {
			t.Errorf("%s: %v, %v", r.Name(), got, err)
		}
		sockets[r.Socket()], dirs[r.About().DataDir] = true, true
		knows(t, r)
	}
	if want := manifest.Vocabulary()["runtime"]; !slices.Equal(names, want) {
		t.Errorf("the runtimes are %q, a manifest may name %q", names, want)
	}
	if len(sockets) != len(names) || len(dirs) != len(names) {
		t.Errorf("two runtimes share a socket or a folder: %v, %v", sockets, dirs)
	}
}

// knows tests that the entry of a runtime is complete.
func knows(t *testing.T, r cri.Runtime) {
	t.Helper()
	a := r.About()
	for _, p := range slices.Concat([]string{r.Socket(), a.DataDir, a.ConfigDir}, a.KubeletDirs, a.Aliases) {
		if !path.IsAbs(p) || path.Clean(p) != p {
			t.Errorf("%s: %q is not an absolute path", r.Name(), p)
		}
	}
	if a.Service == "" || strings.Contains(a.Service, ".") {
		t.Errorf("%s: the service is %q", r.Name(), a.Service)
	}
	for _, unit := range a.With {
		if !strings.Contains(unit, ".") {
			t.Errorf("%s: %q is not the name of a unit", r.Name(), unit)
		}
	}
	if len(a.Packages) == 0 || slices.Contains(a.Packages, "") || slices.Contains(a.Conflicts, a.Packages[0]) {
		t.Errorf("%s: comes with %q, which conflicts with %q", r.Name(), a.Packages, a.Conflicts)
	}
	if a.Copies < 1 || a.Show == "" || a.Containers == "" {
		t.Errorf("%s: %+v", r.Name(), a)
	}
	if got := cri.All().Conflicts(a.Packages[0]); !slices.Equal(got, a.Conflicts) {
		t.Errorf("%s: %q, want %q", r.Name(), got, a.Conflicts)
	}
	for _, alias := range append(a.Aliases, r.Socket()) {
		if got := cri.All().Canonical(alias); got != r.Socket() {
			t.Errorf("%s: the socket %s is %s, want %s", r.Name(), alias, got, r.Socket())
		}
	}
	if len(r.Steps(cri.Options{})) == 0 {
		t.Errorf("%s: no step starts it", r.Name())
	}
}

// TestFits: the runtime interface that a kubelet and a build of containerd speak.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		runtime string
		minor   int
		version string
		want    string
	}{
		{"containerd", 22, "2.0.1", "whose kubelet requires CRI v1alpha2, and containerd.io-2.0.1-1.el8.x86_64 supports only CRI v1"},
		{"containerd", 23, "2.0.1", ""},
		{"containerd", 26, "1.5.11", "whose kubelet requires CRI v1, and containerd.io-1.5.11-1.el8.x86_64 does not support it"},
		{"containerd", 26, "1.6.4", ""},
		{"docker", 26, "1.5.11", ""},
	} {
		r, err := cri.All().For(c.runtime)
		if err != nil {
			t.Fatal(err)
		}
		n, err := nevra.Parse("containerd.io-" + c.version + "-1.el8.x86_64")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if no := cri.Fits(r, c.minor, n); no != nil {
			got = no.Problem
			if no.Hint == "" {
				t.Errorf("%+v: no hint", c)
			}
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := cri.All().Canonical("/run/other.sock"); got != "/run/other.sock" {
		t.Errorf("an unknown socket: %s", got)
	}
}
