// Package agree compares the parts of a bundle with each other: the version of
// Kubernetes, the runtime, the network and the platform that its manifest names,
// and the packages and images that it carries. The builder refuses a bundle whose
// parts cannot work together, and preflight does so on the host.
package agree

import (
	"fmt"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/software"
)

// Bundle is what is compared.
type Bundle struct {
	Kubernetes string // "v1.17.4"
	Runtime    string
	Network    string
	Platform   manifest.Platform
	Baseline   string   // packages.baseline as the manifest has it
	Roots      []string // packages.roots
	Listed     []string // the names in images.list
	Files      []string // the paths in files

	Packages  []nevra.NEVRA // that the bundle carries
	Installed []nevra.NEVRA // that the hosts have without it
	Images    []manifest.LockedImage
	Manifests *Manifests // nil where they were not looked at

	// What is known of networks, runtimes and families; nil is that of this version.
	Networks cni.Networks
	Runtimes cri.Runtimes
	Families software.Sources

	early bool // more images may come: what is missing is not told
}

// Manifests is what the files below manifests/ have for the network: the path of
// its manifest, "" without one, the roles that get it, and the images that it
// names, canonical; and what its objects are. Others are manifests of the same
// network, which are carried and not applied.
type Manifests struct {
	Network string
	Others  []string
	Roles   []manifest.Role
	Images  []string
	Objects []Object
}

// Object is what an object of a manifest is: "policy/v1beta1" and "PodSecurityPolicy".
type Object struct {
	APIVersion, Kind string
}

// Of is the bundle that m and its lock describe. installed are the packages that
// hosts have, as NEVRAs; what is not one is passed over.
func Of(m *manifest.Manifest, l *manifest.Lock, installed []string) *Bundle {
	b := &Bundle{
		Kubernetes: m.Kubernetes, Runtime: m.Runtime, Network: m.Network, Platform: m.Platform, Baseline: m.Packages.Baseline, Roots: m.Packages.Roots,
		Images: l.Images, Installed: parse(installed),
	}
	for _, img := range m.Images.List {
		b.Listed = append(b.Listed, img.Name)
	}
	for _, file := range m.Files {
		b.Files = append(b.Files, file.Path)
	}
	for _, p := range l.Packages {
		b.Packages = append(b.Packages, p.NEVRA)
	}
	return b
}

func parse(list []string) []nevra.NEVRA {
	var parsed []nevra.NEVRA
	for _, s := range list {
		if n, err := nevra.Parse(s); err == nil {
			parsed = append(parsed, n)
		}
	}
	return parsed
}

// Finding is one thing that does not fit another. Text names both sides.
type Finding struct {
	Text string
	Hint string
	Warn bool // it may work: what is known does not decide it

	// Absent says that a package is missing which a host may already have.
	Absent bool
}

// findings collects.
type findings []Finding

func (f *findings) fail(hint, format string, args ...any) {
	*f = append(*f, Finding{Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (f *findings) absent(hint, format string, args ...any) {
	*f = append(*f, Finding{Text: fmt.Sprintf(format, args...), Hint: hint, Absent: true})
}

func (f *findings) warn(hint, format string, args ...any) {
	*f = append(*f, Finding{Text: fmt.Sprintf(format, args...), Hint: hint, Warn: true})
}

// Check lists what does not agree, errors first. A bundle that is not for
// installing Kubernetes, such as one of files or images alone, has only that said, as
// a warning.
func (b *Bundle) Check() []Finding {
	var f findings
	b.hosts(&f)
	b.release(&f)
	if b.empty() {
		f.warn("name kubeadm, kubelet and kubectl under packages.roots and the images of the control plane under images.list, or extend a profile (extends: "+manifest.DefaultProfile+")",
			"the bundle has no kubeadm, kubelet or kubectl of Kubernetes %s: no host can be installed from it", b.Kubernetes)
	} else {
		for _, check := range []func(*Bundle, *findings){
			(*Bundle).programs, (*Bundle).runtime, (*Bundle).plugins, (*Bundle).control, (*Bundle).network, (*Bundle).applicable,
		} {
			check(b, &f)
		}
	}
	b.distribution(&f)
	b.names(&f)
	b.processors(&f)
	slices.SortStableFunc(f, func(a, b Finding) int {
		switch {
		case a.Warn == b.Warn:
			return 0
		case a.Warn:
			return 1
		}
		return -1
	})
	return f
}

// BeforeSolving lists what does not agree by what the manifest alone says, before
// anything is fetched.
func (b *Bundle) BeforeSolving() []Finding {
	var f findings
	b.hosts(&f)
	b.release(&f)
	b.roots(&f)
	return f
}

// empty says that the bundle is not for installing Kubernetes: hosts get nothing of
// it from packages, and the bundle has no packages or no images of it.
func (b *Bundle) empty() bool {
	for _, c := range components() {
		for _, list := range [][]nevra.NEVRA{b.Packages, b.Installed} {
			if _, ok := find(list, c); ok {
				return false
			}
		}
	}
	return len(b.Packages) == 0 || !slices.ContainsFunc(b.Images, func(i manifest.LockedImage) bool {
		return strings.HasPrefix(baseName(i.Name), "kube-")
	})
}

// baseName is the last part of an image's repository.
func baseName(name string) string { return imageref.Split(name).Base() }

// minor is the 17 of v1.17.4; ok is false for what is not Kubernetes 1.
func (b *Bundle) minor() (minor, patch int, ok bool) {
	n, err := fmt.Sscanf(b.Kubernetes, "v1.%d.%d", &minor, &patch)
	return minor, patch, err == nil && n == 2 //nolint:mnd // both numbers were read
}

// Error is a bundle whose parts do not agree.
type Error struct {
	Name   string // of the bundle
	Failed []Finding
}

// Err is an *Error with what is more than a warning, with the hint of the first;
// nil where there is nothing.
func Err(name string, list []Finding) error {
	failed := slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return f.Warn })
	if len(failed) == 0 {
		return nil
	}
	e := &Error{Name: name, Failed: failed}
	if len(failed) == 1 {
		return hint.With(e, "%s", failed[0].Hint)
	}
	return hint.With(e, "change the manifest in one of the two places named in each line")
}

// Error has one line for each disagreement, and below it what fixes it.
func (e *Error) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines is Error, a line each.
func (e *Error) Lines() []string {
	if len(e.Failed) == 1 {
		return []string{fmt.Sprintf("the parts of %s do not fit together: %s", e.Name, e.Failed[0].Text)}
	}
	list := []string{fmt.Sprintf("the parts of %s do not fit together, %d problems:", e.Name, len(e.Failed))}
	for _, f := range e.Failed {
		list = append(list, "  "+f.Text, "      hint: "+f.Hint)
	}
	return list
}
