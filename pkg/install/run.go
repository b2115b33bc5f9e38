// Package install is the installer: what a host of one role needs from the
// archive, and the steps that bring it there. Run is its page, and steps its
// table of contents.
package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/step"
)

// Run brings this host to its role: one page, in the order in which it happens.
// Nothing is changed before the preflight has passed and every member of the
// archive that the role needs was found whole. It may be killed at any moment
// and run again. Where preflight fails the error is a *preflight.Error, where
// the archive is damaged it wraps *archive.DamageError.
func Run(ctx context.Context, h *host.Host, o Settings) (r *Result, err error) {
	defer func() { err = full(h, err) }()
	began := time.Now()
	watch := &host.Stopwatch{Runner: h.Runner}
	h = &host.Host{Root: h.Root, Runner: watch, Software: h.Software}
	release, err := lock(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()

	s, err := open(ctx, h, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.reports.Begin(s.outcome(false, "the installation is under way"))
	defer func() { s.reports.Finish(ctx, s.outcome(err == nil, s.became(ctx, err))) }()
	checks, plan, err := s.admit(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := s.steps()
	if err != nil {
		return nil, err
	}
	t := newTeller(o.Report, steps, time.Now)
	t.checks(checks)
	if s.finished(plan) {
		err := errors.Join(s.trusted.Remember(s.host), s.reports.KeepKey())
		return s.result(nil, watch.Spent(), time.Since(began)), err
	}
	if err := s.verify(ctx); err != nil {
		return nil, err
	}
	if err := s.apply(ctx, steps, t); err != nil {
		return nil, err
	}
	r = s.result(t.changed, watch.Spent(), time.Since(began))
	if r.Smoke, err = s.prove(ctx); err != nil {
		return nil, err
	}
	r.Test = time.Since(began).Seconds() - r.Seconds
	return r, nil
}

// outcome is what the report of this host says of the installation.
func (s *site) outcome(ready bool, says string) hostreport.Result {
	return hostreport.Result{Bundle: s.bundle(), Role: s.role, Node: s.nodeName(), Ready: ready, Says: says}
}

// became says in a sentence what a run made of the host.
func (s *site) became(ctx context.Context, err error) string {
	var failed *preflight.Error
	switch {
	case ctx.Err() != nil:
		return "the installation was interrupted"
	case errors.As(err, &failed):
		var names []string
		for _, f := range failed.Failed {
			names = append(names, f.Name)
		}
		return "checks before the installation failed: " + strings.Join(slices.Compact(names), ", ")
	case err != nil:
		return hostreport.Sentence(err)
	}
	return fmt.Sprintf("Ready, a %s of %s", s.role, s.bundle())
}

// admit makes the checks of the host, and opens the identity where that is to be
// done: what is sealed may not be what lies beside it, and is checked again.
func (s *site) admit(ctx context.Context) (*preflight.Result, []step.Event, error) {
	checks, plan, err := s.preflight(ctx)
	if err == nil {
		err = checks.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	opened, err := s.openIdentity(ctx)
	if err != nil || !opened {
		return checks, plan, err
	}
	if checks, plan, err = s.preflight(ctx); err == nil {
		err = checks.Err()
	}
	return checks, plan, err
}

// finished says whether an earlier run came to its end, and every step is done.
func (s *site) finished(plan []step.Event) bool {
	undone := func(e step.Event) bool { return e.Status.State != step.Done }
	return s.saved != nil && s.saved.Finished && len(plan) > 0 && !slices.ContainsFunc(plan, undone)
}

// verify reads every member that the role needs, before anything is changed. What
// is used later is hashed again then: the stick may be another one by that time.
func (s *site) verify(ctx context.Context) error {
	return s.archive.Verify(ctx, s.member, s.Report)
}

// apply runs the steps. What the host is to become is on its disk before.
func (s *site) apply(ctx context.Context, steps []step.Step, t *teller) (err error) {
	if err := errors.Join(s.remember(false), s.reports.KeepKey(), s.keepSealed()); err != nil {
		return err
	}
	j, err := openJournal(s.host, s.saved)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := step.Run(ctx, s.host, j, kinds(s.Report), steps, t.event); err != nil {
		return err
	}
	return errors.Join(s.remember(true), dropSealed(s.host))
}

// prove tests a cluster that is new; that a node is Ready is a step of its own.
func (s *site) prove(ctx context.Context) (*smoke.Report, error) {
	if s.NoSmoke || !s.first() {
		return nil, nil
	}
	report, err := smoke.Run(ctx, s.host, s.smokeOptions(), s.Report)
	if err != nil {
		return nil, err
	}
	err = report.Err()
	return report, err
}

// Result is what a run did. Times are seconds: Test is that of the new cluster's
// test, Own is what neither that nor a program took which the installer runs, and
// Spent is by program. Stick is how many bytes this program itself made the
// kernel fetch from any disk; what was in memory is not in it.
type Result struct {
	Bundle  string             `json:"bundle"`
	Role    manifest.Role      `json:"role"`
	Node    string             `json:"node"`
	Changed []string           `json:"changed"` // steps
	Seconds float64            `json:"seconds"`
	Own     float64            `json:"own"`
	Test    float64            `json:"test"`
	Spent   map[string]float64 `json:"spent"`
	Needed  int64              `json:"needed"` // bytes of the archive that the role needs
	Stick   int64              `json:"stick"`
	Smoke   *smoke.Report      `json:"smoke,omitempty"`
	Next    []string           `json:"next,omitempty"`
	Undo    string             `json:"undo,omitempty"` // the command that takes all of it back
}

func (s *site) result(changed []string, spent map[string]time.Duration, took time.Duration) *Result {
	r := &Result{
		Bundle: s.bundle(), Role: s.role, Node: s.nodeName(), Changed: changed, Seconds: took.Seconds(),
		Spent: map[string]float64{}, Next: s.next(), Undo: resetCommand(s.role), Needed: s.archive.Compressed(s.member), Stick: readBytes(s.host),
	}
	own := took
	for name, d := range spent {
		own -= d
		r.Spent[name] = d.Seconds()
	}
	r.Own = max(own, 0).Seconds()
	return r
}

// next is what the operator does after this host.
func (s *site) next() []string {
	if !s.first() {
		return nil
	}
	list := []string{"kubectl get nodes"}
	switch {
	case s.byIdentity() && len(s.cluster.Hosts) > 1:
		list = append(list, "on every other host, in any order: ./install")
	case s.role == manifest.Master:
		list = append(list, "carry the stick to every other host, and there: ./install --role node")
	}
	return list
}

// WriteText prints the result for people.
func (r *Result) WriteText(w io.Writer) error {
	out := lines.New(w)
	if len(r.Changed) == 0 {
		out.Line("this host is a %s of %s already, and Ready: nothing had to be changed", r.Role, r.Bundle)
		return out.Flush()
	}
	if r.Smoke != nil {
		out.Line("the cluster works: %d checks in %.0f s", len(r.Smoke.Checks), r.Test)
	}
	out.Line("node %s is Ready, a %s of %s: %s changed", r.Node, r.Role, r.Bundle, counted(len(r.Changed), "step"))
	var spent []string
	for _, name := range slices.SortedFunc(maps.Keys(r.Spent), func(a, b string) int { return cmp.Compare(r.Spent[b], r.Spent[a]) }) {
		if r.Spent[name] >= 1 {
			spent = append(spent, fmt.Sprintf("%s %.0f s", name, r.Spent[name]))
		}
	}
	out.Line("it took %.0f s: %.1f s of its own, the rest in %s", r.Seconds, r.Own, strings.Join(spent, ", "))
	if r.Stick >= 0 {
		out.Line("%s of the archive were needed, %s were read from disks", progress.Size(r.Needed), progress.Size(r.Stick))
	}
	for _, n := range r.Next {
		out.Line("next: %s", n)
	}
	out.Line("to undo all of it: %s", r.Undo)
	return out.Flush()
}

func counted(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what)) }

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

// readBytes is read_bytes of proc(5)'s io: what the threads of this process
// caused to be fetched from storage; -1 where the kernel does not tell. The
// process's own io would count the programs that it ran, too.
func readBytes(h *host.Host) int64 {
	const tasks = "/proc/self/task"
	names, err := h.ReadDir(tasks)
	if err != nil || len(names) == 0 {
		return -1
	}
	var total int64
	for _, name := range names {
		text, err := h.Text(tasks + "/" + name + "/io")
		if err != nil {
			return -1
		}
		for line := range strings.Lines(text) {
			var n int64
			if _, err := fmt.Sscanf(line, "read_bytes: %d", &n); err == nil {
				total += n
			}
		}
	}
	return total
}
