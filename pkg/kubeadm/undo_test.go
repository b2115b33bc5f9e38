package kubeadm

import (
	"context"
	"slices"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

func (w *world) journal() *step.Journal {
	w.t.Helper()
	j, err := step.OpenJournal(w.h)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = j.Close() })
	return j
}

func (w *world) run(steps ...step.Step) error {
	w.t.Helper()
	return step.Run(w.t.Context(), w.h, w.journal(), Kinds(nil, nil, nil), steps, func(step.Event) {})
}

// undo undoes what steps of these names did, and of the others only what the
// journal can take back alone.
func (w *world) undo(steps ...step.Step) error {
	w.t.Helper()
	j, kinds := w.journal(), Kinds(w.hear, w.networks, nil)
	keep := map[string]bool{}
	for _, k := range kinds {
		keep[k.Name] = true
	}
	for _, s := range steps {
		delete(keep, s.Name())
		if !slices.Contains(j.Begun(), s.Name()) { // what it did is laid out by the test
			if err := step.Run(w.t.Context(), w.h, j, kinds, []step.Step{&laidOut{Step: s}}, func(step.Event) {}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name := range keep {
		kinds = kinds.Keep(name)
	}
	return step.Reset(w.t.Context(), w.h, j, kinds, func(step.Event) {})
}

// laidOut is a step that is begun and does nothing.
type laidOut struct {
	step.Step
	done bool
}

func (s *laidOut) Check(context.Context, *host.Host) (st step.Status, err error) {
	if !s.done {
		st.Todo("begin it")
	}
	return st, nil
}

func (s *laidOut) Apply(context.Context, *host.Host) error {
	s.done = true
	return nil
}
