package step_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

// copier is a step that writes a copy to a place of which the journal keeps
// nothing, as a stick is, and so has to be told where it was.
type copier struct {
	to   string
	seen *[]string
}

type copierParams struct {
	To string `json:"to"`
}

func (copier) Name() string  { return "copy" }
func (s copier) Params() any { return copierParams{s.to} }

func (s copier) Check(_ context.Context, h *host.Host) (st step.Status, err error) {
	there, err := h.Exists(s.to)
	if !there {
		st.Todo("%s is written", s.to)
	}
	return st, err
}

func (s copier) Apply(_ context.Context, h *host.Host) error {
	return h.Put(s.to, host.FileState{Content: []byte("copy"), Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid()})
}

func (s copier) Undo(_ context.Context, h *host.Host) error {
	*s.seen = append(*s.seen, "undo "+s.to)
	return h.Remove(s.to)
}

func (s copier) Clean(context.Context, *host.Host) error {
	*s.seen = append(*s.seen, "clean "+s.to)
	return nil
}

// copies is a table of copier alone.
func copies(seen *[]string) step.Kinds {
	return step.Kinds{step.With("copy", func(p copierParams) (step.Step, error) { return copier{p.To, seen}, nil })}
}

func journaled(t *testing.T, h *host.Host) []string {
	t.Helper()
	text, err := h.Text(step.Dir + "/journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// TestBegin: the begin record is on the disk before Apply, with the parameters;
// the same ones are noted once, and whatever was done with any of them is undone.
func TestBegin(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	before := m.State(t)
	var seen []string
	for _, to := range []string{"/etc/a", "/etc/b", "/etc/a"} {
		m.Write(t, "/etc/x", "") // the directory
		if err := os.RemoveAll(h.Path(to)); err != nil {
			t.Fatal(err)
		}
		if err := step.Run(t.Context(), h, journal(t, h), copies(&seen), []step.Step{copier{to, nil}}, ignore); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(journaled(t, h), " "); got != `{"begin":"copy","params":{"to":"/etc/a"}} {"begin":"copy","params":{"to":"/etc/b"}}` {
		t.Errorf("the journal is %s", got)
	}
	if err := step.Reset(t.Context(), h, journal(t, h), copies(&seen), ignore); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, ", "); got != "undo /etc/b, undo /etc/a, clean /etc/b, clean /etc/a" {
		t.Errorf("it was undone by %s", got)
	}
	if err := os.Remove(h.Path("/etc/x")); err != nil {
		t.Fatal(err)
	}
	if got := m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant\n%s", got, before)
	}
}

// TestBegunKilled: a step that was begun and got no further is undone, and done
// by the next run.
func TestBegunKilled(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/x", "")
	before := m.State(t)
	var seen []string
	j := journal(t, h)
	const died = "the disk is gone"
	j.Watch(func(what string) {
		if what == "sync" {
			panic(died)
		}
	})
	func() {
		defer func() {
			if r := recover(); r != died {
				t.Errorf("%v", r)
			}
		}()
		_ = step.Run(t.Context(), h, j, copies(&seen), []step.Step{copier{"/etc/a", nil}}, ignore)
	}()
	if m.State(t) != before || len(journaled(t, h)) != 1 {
		t.Errorf("killed between the record and the step: %v\n%s", journaled(t, h), m.State(t))
	}
	if err := step.Reset(t.Context(), h, journal(t, h), copies(&seen), ignore); err != nil || len(seen) != 2 || m.State(t) != before {
		t.Errorf("reset: %v, %v", err, seen)
	}
	if err := step.Run(t.Context(), h, journal(t, h), copies(&seen), []step.Step{copier{"/etc/a", nil}}, ignore); err != nil || m.Read(t, "/etc/a") != "copy" {
		t.Errorf("run again: %v", err)
	}
	// The record itself was torn: the step was not begun.
	path := h.Path(step.Dir + "/journal.jsonl")
	if err := os.WriteFile(path, []byte(`{"begin":"copy","par`), 0o600); err != nil {
		t.Fatal(err)
	}
	if j := journal(t, h); len(j.Begun()) != 0 {
		t.Errorf("of a torn record: %v", j.Begun())
	}
	if err := step.Run(t.Context(), h, journal(t, h), copies(&seen), []step.Step{copier{"/etc/b", nil}}, ignore); err != nil || len(journaled(t, h)) != 1 {
		t.Errorf("after a torn record: %v, %v", err, journaled(t, h))
	}
}

// TestResetOrder: the step that was begun last is undone first, also where an
// earlier one was begun again with other parameters.
func TestResetOrder(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	var seen []string
	kinds := append(of(steps), copies(&seen)...)
	run := func(list ...step.Step) {
		t.Helper()
		if err := step.Run(t.Context(), h, journal(t, h), kinds, list, ignore); err != nil {
			t.Fatal(err)
		}
	}
	run(steps[1], copier{"/etc/a", nil}, steps[0])
	run(copier{"/etc/b", nil}, steps[2])
	j := journal(t, h)
	if got := strings.Join(j.Begun(), " "); got != "second copy first third" {
		t.Errorf("begun: %s", got)
	}
	var order []string
	err := step.Reset(t.Context(), h, j, kinds, func(e step.Event) {
		if e.Phase == step.Undone {
			order = append(order, e.Step)
		}
	})
	if got := strings.Join(order, " "); err != nil || got != "third first copy second" {
		t.Errorf("undone: %s, %v", got, err)
	}
	if m.Read(t, "/etc/a")+m.Read(t, "/etc/b") != "" {
		t.Error("a copy is left")
	}
}

// TestStartedAlone: a step that ran alone before the steps that come before it is
// undone before them, also where the run was killed in between.
func TestStartedAlone(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	for _, list := range [][]step.Step{steps[2:], {steps[0], steps[2]}, steps} {
		if err := step.Run(t.Context(), h, journal(t, h), of(steps), list, ignore); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(journal(t, h).Begun(), " "); got != "first second third" {
		t.Errorf("begun: %s", got)
	}
	reset(t, h, steps)
	if m.State(t) != before {
		t.Errorf("after reset:\n%s\nwant:\n%s", m.State(t), before)
	}
}

// TestOutsideTheTable: what could not be undone is not done.
func TestOutsideTheTable(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	err := step.Run(t.Context(), h, journal(t, h), of(steps[:2]), steps, ignore)
	if err == nil || !strings.Contains(err.Error(), "step third") || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("a step of no kind: %v", err)
	}
	// A step that hides its parameters.
	hidden := struct{ step.Step }{copier{"/etc/a", nil}}
	err = step.Run(t.Context(), h, journal(t, h), copies(nil), []step.Step{hidden}, ignore)
	if err == nil || !strings.Contains(err.Error(), "could not be undone") {
		t.Errorf("a step without its parameters: %v", err)
	}
	if m.State(t) != before || len(journal(t, h).Begun()) != 0 {
		t.Errorf("something was done:\n%s", m.State(t))
	}
}

// TestNewerJournal: what a newer program began is named, and nothing is undone in
// the wrong order.
func TestNewerJournal(t *testing.T) {
	t.Parallel()
	for _, line := range []string{`{"begin":"teleport","params":{"to":"x"}}`, `{"begin":"second","params":{"to":"x"}}`, `{"begin":"copy","params":{"to":"x","from":"y"}}`} {
		h, m, steps := made(t)
		if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(journaled(t, h), "\n") + "\n" + line + "\n"
		if err := os.WriteFile(h.Path(step.Dir+"/journal.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		after := m.State(t)
		kinds := append(of(steps), copies(nil)...)
		name := strings.Split(line, `"`)[3]
		for what, err := range map[string]error{"reset": step.Reset(t.Context(), h, journal(t, h), kinds, ignore), "plan": step.CanReset(h, kinds)} {
			if err == nil || !strings.Contains(err.Error(), "step "+name) || !strings.Contains(hint.Of(err), "last installed this host") {
				t.Errorf("%s of %s: %v (hint %q)", what, line, err, hint.Of(err))
			}
		}
		if m.State(t) != after {
			t.Errorf("%s: something was undone", line)
		}
	}
}

// TestKeep: what is kept stays, and is known all the same.
func TestKeep(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/x", "")
	var seen []string
	if err := step.Run(t.Context(), h, journal(t, h), copies(&seen), []step.Step{copier{"/etc/a", nil}}, ignore); err != nil {
		t.Fatal(err)
	}
	if err := step.Reset(t.Context(), h, journal(t, h), copies(&seen).Keep("copy"), ignore); err != nil || m.Read(t, "/etc/a") != "copy" || len(seen) != 0 {
		t.Errorf("kept: %v, %v", err, seen)
	}
	if err := step.Reset(t.Context(), h, journal(t, h), copies(&seen), ignore); err != nil || m.Read(t, "/etc/a") != "" {
		t.Errorf("then undone: %v", err)
	}
}

// TestImply: a journal of a program that noted no beginning is undone by what is
// implied, in that order, also where noting that was cut off.
func TestImply(t *testing.T) {
	t.Parallel()
	for cut := range 4 {
		h, m, steps := made(t)
		before := m.State(t)
		if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
			t.Fatal(err)
		}
		var old []string
		for _, l := range journaled(t, h) {
			if !strings.Contains(l, `"begin"`) {
				old = append(old, l)
			}
		}
		implied := []step.Begin{{Step: "first"}, {Step: "second"}, {Step: "third"}}
		for _, b := range implied[:cut] {
			old = append(old, `{"begin":"`+b.Step+`"}`)
		}
		if err := os.WriteFile(h.Path(step.Dir+"/journal.jsonl"), []byte(strings.Join(old, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		j := journal(t, h)
		for range 2 {
			if err := j.Imply(implied); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(j.Begun(), " "); got != "first second third" || len(journaled(t, h)) != len(old)+3-cut {
			t.Errorf("cut off at %d, begun: %s", cut, got)
		}
		if err := step.Reset(t.Context(), h, j, of(steps), ignore); err != nil || m.State(t) != before {
			t.Errorf("cut off at %d: %v\n%s", cut, err, m.State(t))
		}
	}
	h, _, steps := made(t)
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps[:1], ignore); err != nil {
		t.Fatal(err)
	}
	j := journal(t, h)
	if err := j.Imply([]step.Begin{{Step: "second"}}); err != nil || strings.Join(j.Begun(), " ") != "first" {
		t.Errorf("a journal with begin records of its own: %v, %v", j.Begun(), err)
	}
}
