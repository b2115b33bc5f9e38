// Package cri configures a container runtime for Kubernetes and loads the images of
// an archive into it. A runtime is one file and one line in All; its About has
// everything that other packages need to know of it.
//
//	rt, err := cri.All().For(manifest.Runtime)
//	steps = append(steps, packages, rt.Steps(...)..., cri.Images(rt, archive, images, report))
//
// config.toml and daemon.json are changed in place, key by key, and units are read
// with their drop-ins, by code of this package: a library for TOML or JSON writes
// the whole file again, without the comments and the order that it has for its
// owner, and none for units says in which file a word stands.
package cri

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Runtime is a container runtime of a host.
type Runtime interface {
	// Name is the value of runtime in a manifest.
	Name() string
	// Socket is the path of its socket for kubeadm and the kubelet.
	Socket() string
	// About is the static knowledge of it.
	About() About
	// Steps configure and start it. They run after the packages are installed.
	Steps(o Options) []step.Step
	// Load loads the images of a stream with the runtime's own program: all of
	// them, or none if the stream ends early. The error wraps ErrUnavailable if the
	// runtime is not running.
	Load(ctx context.Context, h *host.Host, r io.Reader) error
	store
}

// store is how the step Images lists, loads and removes images.
type store interface {
	// refName is the runtime's name of an image, "" if it can only have an ID.
	refName(ref imageref.Reference) string
	// present lists the images. The error wraps ErrUnavailable if the runtime is not
	// running.
	present(ctx context.Context, h *host.Host) (present, error)
	// write writes the stream for Load.
	write(ctx context.Context, w io.Writer, archive fs.FS, names []string) error
	// restore gives a name back to its previous image, and removes the image that
	// this program loaded under it, unless containers use it.
	restore(ctx context.Context, h *host.Host, now present, p previousTag) error
}

// keeper is a runtime that deletes an image when its name is given to another.
type keeper interface {
	// keep preserves the image of a name during a load.
	keep(ctx context.Context, h *host.Host, p previousTag) error
}

// Options configure a runtime. Pause is the name of the pod sandbox image, "" if
// there is none.
type Options struct{ Pause string }

// ErrUnavailable means that a runtime is not installed or not running.
var ErrUnavailable = errors.New("the container runtime does not respond")

// Runtimes is a table of runtimes; nil means All.
type Runtimes []Runtime

// All is the table of this version. Package manifest has the same names, which a
// manifest may use.
func All() Runtimes { return Runtimes{docker{}, containerd{}} }

func (t Runtimes) each() Runtimes {
	if t == nil {
		return All()
	}
	return t
}

// Kinds returns the kinds of this package's steps. report, which may be nil, gets
// the progress of undoing.
func (t Runtimes) Kinds(report progress.Func) step.Kinds {
	list := []step.Step{imagesStep{report: report, all: t}}
	for _, r := range t.each() {
		list = append(list, r.Steps(Options{})...)
	}
	return step.Plain(list...)
}

// For returns a runtime by its name in a manifest.
func (t Runtimes) For(name string) (Runtime, error) {
	for _, r := range t.each() {
		if r.Name() == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("unknown container runtime %q: want %s", name, strings.Join(t.Names(), " or "))
}

// Names lists the names of the runtimes.
func (t Runtimes) Names() []string {
	var names []string
	for _, r := range t.each() {
		names = append(names, r.Name())
	}
	return names
}

// Pause returns the name of the pod sandbox image among images, "" if there is none.
func Pause(images []manifest.LockedImage) string {
	for _, img := range images {
		if imageref.Split(img.Name).Base() == "pause" {
			return img.Name
		}
	}
	return ""
}

// present is the images of a runtime: the ID of each name, and the IDs without a
// name.
type present struct {
	names    map[string]string
	untagged map[string]bool
}

func (h present) named(id string) (names []string) {
	for name, of := range h.names {
		if of == id {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// has reports whether an image with one of these IDs exists, under any name.
func (h present) has(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return h.untagged[id] || len(h.named(id)) > 0 })
}

// unavailable makes an error wrap ErrUnavailable if the program is missing or its
// server does not respond; words identify such an error in the program's output.
func unavailable(h *host.Host, err error, runtime string, words ...string) error {
	if host.NotFound(err) {
		return software.Missing(h, fmt.Errorf("%s is not installed: %w", runtime, ErrUnavailable), runtime)
	}
	var failed *host.CommandError
	if errors.As(err, &failed) && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(failed.Stderr, w) }) {
		return hint.With(fmt.Errorf("%s is not running: %w", runtime, ErrUnavailable), "systemctl start %s", runtime)
	}
	return err
}
