// Package cri brings a container runtime up for Kubernetes and fills it with
// the images of an archive. There is one file a runtime, and one line in All;
// what else is known of one is its About, which everybody asks.
//
//	rt, err := cri.All().For(manifest.Runtime)
//	steps = append(steps, packages, rt.Steps(...)..., cri.Images(rt, archive, images, report))
//
// config.toml and daemon.json are changed in place, key by key, and units are read
// with their drop-ins, by code of this package: a library for TOML or JSON writes
// the whole file anew, without the comments and the order that it has for its
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
	// Name is that of a manifest's key runtime.
	Name() string
	// Socket is the path on which kubeadm and the kubelet find it.
	Socket() string
	// About is what is known of it.
	About() About
	// Steps configure it and turn it on. They come after the packages.
	Steps(o Options) []step.Step
	// Load takes the images of a stream, as the runtime's own program does: all
	// of them, or where the stream breaks off none. It is an error that wraps
	// ErrUnavailable where the runtime does not run.
	Load(ctx context.Context, h *host.Host, r io.Reader) error
	store
}

// store is how the step Images finds, fills and empties a runtime.
type store interface {
	// refName is the name under which the runtime keeps an image, "" where it can
	// keep it by its ID only.
	refName(ref imageref.Reference) string
	// present is what there is. It wraps ErrUnavailable where the runtime does not run.
	present(ctx context.Context, h *host.Host) (present, error)
	// write is the stream that Load takes.
	write(ctx context.Context, w io.Writer, archive fs.FS, names []string) error
	// restore makes a name stand for what it stood for before, and takes out
	// what this program loaded under it. What containers use stays.
	restore(ctx context.Context, h *host.Host, now present, p previousTag) error
}

// keeper is a runtime that forgets an image when its name is given to another.
type keeper interface {
	// keep lets what a name stands for outlive a load.
	keep(ctx context.Context, h *host.Host, p previousTag) error
}

// Options say how a runtime is configured. Pause is the name of the image of a
// pod's sandbox, "" where there is none.
type Options struct{ Pause string }

// ErrUnavailable says that a runtime is not installed or does not run.
var ErrUnavailable = errors.New("it does not answer")

// Runtimes is a table of runtimes; nil is that of this version, All.
type Runtimes []Runtime

// All is the table of this version. Package manifest has the names, which say what
// a manifest may name.
func All() Runtimes { return Runtimes{docker{}, containerd{}} }

func (t Runtimes) each() Runtimes {
	if t == nil {
		return All()
	}
	return t
}

// Kinds are the kinds of this package's steps. report, which may be nil, hears
// what the undoing does.
func (t Runtimes) Kinds(report progress.Func) step.Kinds {
	list := []step.Step{imagesStep{report: report, all: t}}
	for _, r := range t.each() {
		list = append(list, r.Steps(Options{})...)
	}
	return step.Plain(list...)
}

// For gives a runtime by its name in a manifest.
func (t Runtimes) For(name string) (Runtime, error) {
	for _, r := range t.each() {
		if r.Name() == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("cannot use container runtime %q: there is %s", name, strings.Join(t.Names(), " and "))
}

// Names lists the runtimes.
func (t Runtimes) Names() []string {
	var names []string
	for _, r := range t.each() {
		names = append(names, r.Name())
	}
	return names
}

// Pause is the name of the image of a pod's sandbox among images, "" where
// there is none.
func Pause(images []manifest.LockedImage) string {
	for _, img := range images {
		if imageref.Split(img.Name).Base() == "pause" {
			return img.Name
		}
	}
	return ""
}

// present is what a runtime holds: the ID for which each name stands, and the IDs
// that have no name.
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

// has says that there is an image of one of these IDs, under whatever name.
func (h present) has(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return h.untagged[id] || len(h.named(id)) > 0 })
}

// unavailable makes an error of a program that is missing, or whose server does not
// answer, one that wraps ErrUnavailable; what stands in for the words that programs use.
func unavailable(h *host.Host, err error, runtime string, words ...string) error {
	if host.NotFound(err) {
		return software.Missing(h, fmt.Errorf("%s is not installed: %w", runtime, ErrUnavailable), runtime)
	}
	var failed *host.CommandError
	if errors.As(err, &failed) && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(failed.Stderr, w) }) {
		return hint.With(fmt.Errorf("%s does not run: %w", runtime, ErrUnavailable), "systemctl start %s", runtime)
	}
	return err
}
