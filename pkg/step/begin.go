package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"kubecrate/pkg/host"
)

// Begin is the content of a begin record.
type Begin struct {
	Step   string
	Params any // nil for a step without Parameters
}

// begun is a step that was started, with its sets of parameters, oldest first.
type begun struct {
	name   string
	params []json.RawMessage
}

// begun lists the steps in the order in which they were first started. A step that
// is started again with other parameters keeps its place: what later steps depend on
// is undone after them. A step that is first started once steps were that come after
// it in its run, as by a verb of their own, has its place before them.
func (j *Journal) begun() []begun {
	var list []begun
	for _, r := range j.records {
		if r.Begin == "" {
			continue
		}
		i := slices.IndexFunc(list, func(b begun) bool { return b.name == r.Begin })
		if i < 0 {
			i = len(list)
			if first := slices.IndexFunc(list, func(b begun) bool { return slices.Contains(r.Before, b.name) }); first >= 0 {
				i = first
			}
			list = slices.Insert(list, i, begun{name: r.Begin})
		}
		list[i].params = append(list[i].params, r.Params)
	}
	return list
}

// Begun lists the names of the steps in the order in which they were started.
func (j *Journal) Begun() []string {
	var names []string
	for _, b := range j.begun() {
		names = append(names, b.name)
	}
	return names
}

// begin writes the begin record of a step to the disk, unless there is one with the
// same parameters. later names the steps that come after it.
func (j *Journal) begin(b Begin, later []string) error {
	r, err := b.record()
	if err != nil {
		return fmt.Errorf("cannot start step %s: %w", b.Step, err)
	}
	for _, old := range j.records {
		if old.Begin == r.Begin && bytes.Equal(old.Params, r.Params) {
			return nil
		}
	}
	for _, name := range j.Begun() {
		if slices.Contains(later, name) {
			r.Before = append(r.Before, name)
		}
	}
	if err := j.append(r); err != nil {
		return fmt.Errorf("cannot start step %s: %w", b.Step, err)
	}
	return nil
}

func (b Begin) record() (r record, err error) {
	r.Begin = b.Step
	if b.Params != nil {
		r.Params, err = json.Marshal(b.Params)
	}
	return r, err
}

// Imply is for a journal of a version that wrote no begin records: it appends the
// missing ones of list, in order. A journal that starts with a begin record is
// complete and stays unchanged.
func (j *Journal) Imply(list []Begin) error {
	if len(j.records) > 0 && j.records[0].Begin != "" {
		return nil
	}
	var names []string
	for _, b := range list {
		names = append(names, b.Step)
	}
	for i, b := range list {
		if err := j.begin(b, names[i+1:]); err != nil {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
	}
	return nil
}

// begin writes the begin record of s after checking that kinds can undo it.
func begin(j *Journal, kinds Kinds, s Step, later []string) error {
	b := Begin{Step: s.Name()}
	if p, ok := s.(Parameters); ok {
		b.Params = p.Params()
	}
	r, err := b.record()
	if err != nil {
		return fmt.Errorf("cannot start step %s: %w", b.Step, err)
	}
	if _, err := kinds.open(begun{b.Step, []json.RawMessage{r.Params}}); err != nil {
		return fmt.Errorf("cannot start step %s, because it could not be undone: %w", b.Step, err)
	}
	return j.begin(b, later)
}

// CanReset returns why Reset would refuse the journal of h: a step that is not in
// kinds. It changes nothing.
func CanReset(h *host.Host, kinds Kinds) error {
	j, err := read(h)
	if err != nil {
		return err
	}
	_, err = j.undoings(kinds)
	return err
}

// undoings opens every step that was started, in that order.
func (j *Journal) undoings(kinds Kinds) ([]undoing, error) {
	var list []undoing
	for _, b := range j.begun() {
		u, err := kinds.open(b)
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}
