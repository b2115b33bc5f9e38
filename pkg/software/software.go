// Package software defines how programs are installed on a host. A Source is one way to
// install them: pkg/distro has one for each operating system family.
//
// A package that finds a program missing uses Missing, so that only the Source, which a
// host carries (see host.Host), chooses the command in the hint.
package software

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Source is a way to install the programs of a bundle on a host.
type Source interface {
	About() About
	// Supports returns the system of a host, and whether this source supports it.
	Supports(h *host.Host) (System, error)
	// Steps install the programs of the bundle; report may be nil.
	Steps(b Bundle, report progress.Func) []step.Step
	// Kinds are the kinds of these steps. Sources may share one.
	Kinds(report progress.Func) step.Kinds
	Hints
}

// Sources is a table of sources with unique names.
type Sources []Source

// For returns the source named by platform.family in a manifest.
func (t Sources) For(family string) (Source, error) {
	var names []string
	for _, s := range t {
		if s.About().Name == family {
			return s, nil
		}
		names = append(names, s.About().Name)
	}
	return nil, fmt.Errorf("unknown family %q: want one of %s", family, strings.Join(names, ", "))
}

// Kinds returns the kinds of the steps of all sources, each once.
func (t Sources) Kinds(report progress.Func) step.Kinds {
	var list step.Kinds
	for _, s := range t {
		for _, k := range s.Kinds(report) {
			if !slices.ContainsFunc(list, func(have step.Kind) bool { return have.Name == k.Name }) {
				list = append(list, k)
			}
		}
	}
	return list
}

// Hints are commands for an operator to type on a host.
type Hints interface {
	host.Software
	// Provider is the name of the package with a program that the bundle does not
	// include.
	Provider(program string) string
	// MediumHint is how to install a provider from the system's installation medium.
	MediumHint(provider string) string
}

// About is the static knowledge of a source, independent of a host.
type About struct {
	Name     string   // value of platform.family in a manifest
	Programs []string // programs that it needs on the host
	Dirs     []string // directories that it writes to
	Cgroups  Cgroups  // of its systems
	CPULevel int      // minimum x86-64 level of its systems, as in the psABI
	Release  string   // release of Enterprise Linux that its packages name after ".el", "" for none
	Modular  bool     // its systems have modules, which hide packages of a repository
}

// Cgroups is the version of control groups that the systems of a source use.
type Cgroups int

// Versions of control groups.
const (
	CgroupsV2      Cgroups = iota // or unknown
	CgroupsV1First                // v1 unless the kernel command line selects v2
	CgroupsV1Only
)

// System is the operating system of a host. Problem is why a source does not support
// it, "" if it does, and Hint the fix.
type System struct {
	Name    string // as the host reports it: "CentOS Linux release 7.9.2009 (Core)"
	Release string // "7.9", "" if unknown
	Problem string
	Hint    string
}

// Archive is the part of a bundle's archive that a source reads; *archive.Reader
// implements it.
type Archive interface {
	fs.FS
	Each(ctx context.Context, want func(archive.Member) bool, fn func(archive.Member, io.Reader) error) error
}

// Bundle is the bundle's archive, and the packages of its lock. Undo needs neither.
type Bundle struct {
	Archive  Archive
	Packages []manifest.LockedPackage
}

// Missing returns err, which means that h lacks these programs, with the hint how to
// install them.
func Missing(h *host.Host, err error, programs ...string) error {
	return hint.With(err, "%s", InstallHint(h, programs...))
}

// InstallHint is how to install programs of the bundle on h. If h carries no source,
// because its bundle is unknown, the hint is to run the installation again.
func InstallHint(h *host.Host, programs ...string) string {
	if h.Software == nil {
		return "./install again: it installs " + strings.Join(programs, ", ") + " from the bundle"
	}
	return h.Software.InstallHint(programs...)
}
