package step

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"kubecrate/pkg/hint"
)

// Kind is a kind of step. It stands once, in the table of its package, and only
// steps of such a kind are run: what was begun can then be undone from the
// journal alone.
type Kind struct {
	Name string
	// Open makes a step of the kind from the parameters of its begin record, as far
	// as Undo and Clean need it. nil is for a kind that the records of the journal
	// undo, or that is to stay.
	Open func(params json.RawMessage) (Step, error)
	// Independent says that undoing a step of the kind needs nothing of the steps
	// begun before it, see Reset.
	Independent bool
}

// Kinds is a table of kinds. Its order says nothing: Reset goes by the journal.
type Kinds []Kind

// Parameters are given by a step whose Undo or Clean has to know something of
// the run that began it. They become JSON in the begin record, and hold no
// secret. The kind of such a step is made by With.
type Parameters interface {
	Params() any
}

var errParams = errors.New("its parameters are not those of this program")

// Plain gives the kinds of steps that need no parameters: whatever run began such
// a step, the one given here undoes it. It needs only what its Undo and its Clean
// use.
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

// With is the kind of the steps whose Params are a P, from which open makes the
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

// Independent is the table with every kind marked as independent.
func (k Kinds) Independent() Kinds {
	list := append(Kinds{}, k...)
	for i := range list {
		list[i].Independent = true
	}
	return list
}

// Keep is the table with which Reset leaves alone what the Undo and the Clean of
// one kind would take back. Journal.Forget does the same for its records.
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

// undoing is a step that was begun, for undoing: one for each set of parameters,
// the newest first.
type undoing struct {
	name        string
	steps       []Step
	independent bool
}

// open makes the step that b began again.
func (k Kinds) open(b begun) (u undoing, err error) {
	u.name = b.name
	kind, ok := k.find(b.name)
	if !ok {
		return u, newer(fmt.Errorf("cannot undo step %s: this program does not know such a step, so a newer one began it", b.name))
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
	return hint.With(err, "reset with the program that installed this host last: it lies on the stick beside that archive")
}
