// Package software says how programs come to a host. A Source is one way in which
// they do: pkg/distro has one for each family of operating systems whose packages
// fit each other.
//
// Every package that finds a program missing says so with Missing, and the hint
// that then names the right command is the Source's alone: a host carries it, see
// host.Host.
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

// Source is a way in which the programs of a bundle come to a host.
type Source interface {
	About() About
	// Supports says what system a host has, and whether this source fits it.
	Supports(h *host.Host) (System, error)
	// Steps bring the programs of the bundle; report may be nil.
	Steps(b Bundle, report progress.Func) []step.Step
	// Kinds are the kinds of these steps. Sources may have one in common.
	Kinds(report progress.Func) step.Kinds
	Hints
}

// Sources is a table of sources, each with a name of its own.
type Sources []Source

// For is the source that platform.family of a manifest names.
func (t Sources) For(family string) (Source, error) {
	var names []string
	for _, s := range t {
		if s.About().Name == family {
			return s, nil
		}
		names = append(names, s.About().Name)
	}
	return nil, fmt.Errorf("cannot install on the family %q: it is not one of %s", family, strings.Join(names, ", "))
}

// Kinds are the kinds of the steps of all sources, each once.
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

// Hints are commands as an operator types them on a host, and what they are for.
type Hints interface {
	host.Software
	// Provider is what has a program that the host is to have by itself: the name
	// of a package.
	Provider(program string) string
	// MediumHint is how a provider comes to a host that the bundle does not bring
	// it to: from the system's own installation medium.
	MediumHint(provider string) string
}

// About is what is known of a source without a host to look at.
type About struct {
	Name     string   // the word of a manifest's platform.family
	Programs []string // that it runs, and the host has to have by itself
	Dirs     []string // in which it makes files, and which have to be writable
	Cgroups  Cgroups  // of its systems
	CPULevel int      // of x86-64 that its systems need at the least, as the psABI counts
	Modular  bool     // its systems know modules, which hide packages of a repository
}

// Cgroups say which version of control groups the systems of a source have.
type Cgroups int

// Versions of control groups.
const (
	CgroupsV2      Cgroups = iota // or not known
	CgroupsV1First                // v1 unless the kernel is told otherwise
	CgroupsV1Only
)

// System is the operating system of a host. Problem says why a source does not
// fit it, "" where it does, and Hint what to do then.
type System struct {
	Name    string // as the host names itself: "CentOS Linux release 7.9.2009 (Core)"
	Release string // "7.9", "" where it is not known
	Problem string
	Hint    string
}

// Archive is what a source reads of a bundle; *archive.Reader is one.
type Archive interface {
	fs.FS
	Each(ctx context.Context, want func(archive.Member) bool, fn func(archive.Member, io.Reader) error) error
}

// Bundle is the bundle's archive, and what its lock says of the packages. To undo
// needs neither.
type Bundle struct {
	Archive  Archive
	Packages []manifest.LockedPackage
}

// Missing is err, which says that h does not have these programs, with the hint
// how they come to it.
func Missing(h *host.Host, err error, programs ...string) error {
	return hint.With(err, "%s", InstallHint(h, programs...))
}

// InstallHint is how programs of the bundle come to h. Where h carries no source,
// for nothing told which bundle it has, the installation that brings them is named.
func InstallHint(h *host.Host, programs ...string) string {
	if h.Software == nil {
		return "./install again: it installs " + strings.Join(programs, ", ") + " from the bundle"
	}
	return h.Software.InstallHint(programs...)
}
