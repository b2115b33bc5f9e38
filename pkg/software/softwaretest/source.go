// Package softwaretest is the test suite for every software.Source.
package softwaretest

import (
	"path"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Source tests s. manager is the program that its hints name, "" if they name none.
func Source(t *testing.T, s software.Source, manager string) {
	t.Helper()
	a := s.About()
	if !slices.Contains(manifest.Vocabulary()["platform.family"], a.Name) {
		t.Errorf("no manifest can name %q", a.Name)
	}
	for _, dir := range a.Dirs {
		if !path.IsAbs(dir) || path.Clean(dir) != dir {
			t.Errorf("%s: %q is not an absolute directory", a.Name, dir)
		}
	}
	for _, p := range append([]string{"conntrack"}, a.Programs...) {
		if name := s.Provider(p); name == "" || !strings.Contains(s.MediumHint(name), name) {
			t.Errorf("%s: %s comes from %q: %s", a.Name, p, name, s.MediumHint(name))
		}
	}
	steps := s.Steps(software.Bundle{}, nil)
	if len(steps) == 0 {
		t.Errorf("%s: no step installs the programs", a.Name)
	}
	for _, st := range steps {
		if st.Name() == "" {
			t.Errorf("%s: a step without a name", a.Name)
		}
		if !slices.ContainsFunc(s.Kinds(nil), func(k step.Kind) bool { return k.Name == st.Name() }) {
			t.Errorf("%s: step %s has no kind, and could not be undone", a.Name, st.Name())
		}
	}
	hints(t, s, manager)
	h, m := hosttest.New(t)
	m.Write(t, "/etc/os-release", "ID=plan9\nPRETTY_NAME=\"Plan 9\"\n")
	if sys, err := s.Supports(h); err != nil || sys.Name == "" || (sys.Problem == "") != (sys.Hint == "") {
		t.Errorf("%s: %+v, %v", a.Name, sys, err)
	}
}

// hints tests the hints of packages that find a program missing.
func hints(t *testing.T, s software.Source, manager string) {
	t.Helper()
	h := &host.Host{Software: s}
	for _, programs := range [][]string{{"kubelet", "kubeadm", "kubectl"}, {"docker"}, {"containerd"}, {"crictl"}, {"chronyd"}, {"conntrack"}} {
		got := software.InstallHint(h, programs...)
		if !strings.HasPrefix(got, manager) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q does not begin with %s", s.About().Name, got, manager)
		}
		for _, other := range []string{"yum", "dnf"} {
			if other != manager && strings.Contains(got, other) {
				t.Errorf("%s: %q names %s", s.About().Name, got, other)
			}
		}
	}
	if got := h.FreeHint(); !strings.Contains(got, manager) {
		t.Errorf("%s: %q does not name %s", s.About().Name, got, manager)
	}
}

// Hints is a host.Software for tests of packages that find a program missing: its hint
// has the names of the programs.
type Hints struct{}

// InstallHint is host.Software's.
func (Hints) InstallHint(programs ...string) string {
	return "bring " + strings.Join(programs, " ")
}

// FreeHint is host.Software's.
func (Hints) FreeHint() string { return "empty caches" }
