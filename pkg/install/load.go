package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/step"
	"kubecrate/pkg/stepreport"
	"kubecrate/pkg/table"
)

// perform runs steps that are not part of an installation.
func (r *run) perform(ctx context.Context, steps ...step.Step) (changed []string, err error) {
	j, err := openJournal(r.host, r.saved)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	t := stepreport.New(r.caller.Report, stepreport.Names(steps), time.Now)
	err = step.Run(ctx, r.host, j, r.caller.kinds(r.caller.Report), steps, t.Event)
	return t.Changed(), err
}

// Loaded is the result of Load.
type Loaded struct {
	Images  int  `json:"images"` // that the role needs
	Changed bool `json:"changed"`
}

// Load loads the missing images of the role.
func Load(ctx context.Context, h *host.Host, q LoadRequest) (loaded *Loaded, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	release, err := hostlock.Take(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	r, err := open(ctx, h, q.Media, q.Caller, q.Host, terms{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	runtime, err := r.caller.Runtimes.For(r.bundle.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	images, count := r.assembly().imageStep(runtime), len(r.bundle.images(r.target.Role))
	if done, err := loadable(ctx, h, images, runtime.Name()); err != nil || done {
		return &Loaded{Images: count}, err
	}
	changed, err := r.perform(ctx, images)
	if err != nil {
		return nil, errors.Join(err, r.sweep())
	}
	return &Loaded{Images: count, Changed: len(changed) > 0}, nil
}

// loadable reports whether all images are present, before a journal is opened. It fails
// if the runtime does not respond.
func loadable(ctx context.Context, h *host.Host, images step.Step, runtime string) (done bool, err error) {
	plan, err := step.Plan(ctx, h, []step.Step{images})
	if err != nil {
		return false, err
	}
	st := plan[0].Status
	switch st.State {
	case step.Done, step.ToDo:
		return st.State == step.Done, nil
	case step.Later:
		return false, hint.With(fmt.Errorf("cannot load the images: %s does not respond", runtime), "systemctl start %s; if it is not installed, ./install --role node installs it and loads them", runtime)
	case step.Impossible, step.Unknown:
	}
	return false, hint.With(fmt.Errorf("cannot load the images: %s", strings.Join(st.What, "; ")), "%s", st.Hint)
}

// sweep removes the state directory of a host without an installation or loaded images.
func (r *run) sweep() error {
	if r.saved != nil || cri.Undoable(r.host) != nil {
		return nil
	}
	changes, err := step.Changes(r.host)
	if err != nil || len(changes) > 0 {
		return err
	}
	return removeState(r.host)
}

// WriteText prints the result as text.
func (r *Loaded) WriteText(w io.Writer) error {
	out := table.New(w)
	if r.Changed {
		out.Line("all %d images are loaded", r.Images)
	} else {
		out.Line("all %d images were already loaded: nothing changed", r.Images)
	}
	return out.Flush()
}

// Smoke tests the cluster of an installed host. If a check fails, it returns the report
// and an error.
func Smoke(ctx context.Context, h *host.Host, q SmokeRequest) (report *smoke.Report, err error) {
	r, err := installed(ctx, h, q.Media, q.Caller, "", terms{wait: q.Wait})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	expected := r.assembly().smokeOptions()
	expected.Nodes = r.target.Members()
	if report, err = smoke.Run(ctx, h, expected, q.Caller.Report); err != nil {
		return nil, err
	}
	err = report.Err()
	return report, err
}

// Inventory returns the facts of h, including its packages.
func Inventory(ctx context.Context, h *host.Host) (*facts.Facts, error) {
	return facts.Read(ctx, h, facts.Options{Now: time.Now(), Packages: true})
}
