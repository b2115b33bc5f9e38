package step

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"kubecrate/pkg/hint"
)

// Kind is a kind of step. It is registered once, in the table of its package. Only
// steps of a registered kind are run, so that they can be undone from the journal
// alone.
type Kind struct {
	Name string
	// Open creates a step of the kind from the parameters of its begin record, as far
	// as Undo and Clean need it. nil is for a kind that the journal's records undo, or
	// whose changes are kept.
	Open func(params json.RawMessage) (Step, error)
	// Independent says that undoing a step of the kind does not depend on the steps
	// started before it, see Reset.
	Independent bool
}

// Kinds is a table of kinds. Its order has no meaning: Reset uses the journal's.
type Kinds []Kind

// Parameters is implemented by a step whose Undo or Clean needs data of the run that
// started it. They are written to the begin record as JSON and must not contain
// secrets. With makes the kind of such a step.
type Parameters interface {
	Params() any
}

var errParams = errors.New("its parameters are unknown to this version")

// Plain returns the kinds of steps without parameters: whichever run started such a
// step, the one given here undoes it. It needs only what its Undo and Clean use.
func Plain(steps ...Step) Kinds {
	list := make(Kinds, len(steps))
	for i, s := range steps {
		list[i] = plain(s)
	}
	return list
}

func plain(s Step) Kind {
	return Kind{Name: s.Name(), Open: func(params json.RawMessage) (Step, error) {
		if len(params) > 0 {
			return nil, errParams
		}
		return s, nil
	}}
}

// With returns the kind of steps whose Params are a P, from which open creates the
// step that undoes them.
func With[P any](name string, open func(P) (Step, error)) Kind {
	return Kind{Name: name, Open: func(params json.RawMessage) (Step, error) {
		var p P
		d := json.NewDecoder(bytes.NewReader(params))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("%w: %w", errParams, err)
		}
		return open(p)
	}}
}

// Independent returns the table with every kind marked as independent.
func (k Kinds) Independent() Kinds {
	list := append(Kinds{}, k...)
	for i := range list {
		list[i].Independent = true
	}
	return list
}

// Keep returns a table with which Reset does not call Undo and Clean of one kind.
// Journal.Forget does the same for its records.
func (k Kinds) Keep(name string) Kinds {
	list := append(Kinds{}, k...)
	for i := range list {
		if list[i].Name == name {
			list[i].Open = nil
		}
	}
	return list
}

func (k Kinds) find(name string) (Kind, bool) {
	for _, kind := range k {
		if kind.Name == name {
			return kind, true
		}
	}
	return Kind{}, false
}

// undoing is a started step to undo: one for each set of parameters, newest first.
type undoing struct {
	name        string
	steps       []Step
	independent bool
}

// open recreates the step of b.
func (k Kinds) open(b begun) (u undoing, err error) {
	u.name = b.name
	kind, ok := k.find(b.name)
	if !ok {
		return u, newer(fmt.Errorf("cannot undo step %s: this version does not know the step; a newer version started it", b.name))
	}
	u.independent = kind.Independent
	if kind.Open == nil {
		return u, nil
	}
	for i := len(b.params) - 1; i >= 0; i-- {
		s, err := kind.Open(b.params[i])
		switch {
		case errors.Is(err, errParams):
			return u, newer(fmt.Errorf("cannot undo step %s: %w", b.name, err))
		case err != nil:
			return u, fmt.Errorf("cannot undo step %s: %w", b.name, err)
		}
		u.steps = append(u.steps, s)
	}
	return u, nil
}

func newer(err error) error {
	return hint.With(err, "run reset with the install program that last installed this host, from the stick")
}
