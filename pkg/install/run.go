// Package install is the installer: what a host of a role needs from the archive, and
// the steps of an installation. Run is the whole installation on one page, steps its
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
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/stepreport"
	"kubecrate/pkg/table"
)

// Run installs this host, in the order of this page. It changes nothing before the
// preflight has passed and every member of the archive that the role needs was verified.
// It may be killed at any moment and run again. If preflight fails, the error is a
// *preflight.Error; if the archive is damaged, it wraps *archive.DamageError.
func Run(ctx context.Context, h *host.Host, q RunRequest) (result *Result, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	began := time.Now()
	watch := &host.Stopwatch{Runner: h.Runner}
	h = &host.Host{Root: h.Root, Runner: watch, Software: h.Software}
	release, err := hostlock.Take(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()

	r, err := open(ctx, h, q.Media, q.Caller, q.Host, terms{wait: q.Wait, ticketTTL: q.TicketTTL, user: q.User})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	r.reports.Begin(r.outcome(false, "installation in progress"))
	defer func() { r.reports.Finish(ctx, r.outcome(err == nil, r.became(ctx, err))) }()
	r, found, err := r.admit(ctx, q)
	if err != nil {
		return nil, err
	}
	steps, err := r.assembly().steps()
	if err != nil {
		return nil, err
	}
	report := stepreport.New(q.Caller.Report, stepreport.Names(steps), time.Now)
	for _, c := range found.checks.Of(preflight.Warning) { // warnings do not stop an installation
		report.Warn(c.Name, withHint(c))
	}
	if r.finished(found.plan) {
		err := errors.Join(r.bundle.trusted.Remember(h), r.reports.KeepKey())
		return r.result(nil, watch.Spent(), time.Since(began)), err
	}
	// Members are hashed again when used: the stick may be replaced meanwhile.
	if err := r.bundle.archive.Verify(ctx, memberOf(r.target.Role), q.Caller.Report); err != nil {
		return nil, err
	}
	if err := r.apply(ctx, steps, report); err != nil {
		return nil, err
	}
	result = r.result(report.Changed(), watch.Spent(), time.Since(began))
	if r.target.First && !q.NoSmoke { // other nodes have a step that waits for Ready
		if result.Smoke, err = r.smokeTest(ctx); err != nil {
			return nil, err
		}
	}
	result.Test = time.Since(began).Seconds() - result.Seconds
	return result, nil
}

// outcome is the result of the installation in the host report.
func (r *run) outcome(ready bool, says string) hostreport.Result {
	return hostreport.Result{Bundle: r.bundle.name(), Role: r.target.Role, Node: r.target.Node, Ready: ready, Says: says}
}

// became describes the result of a run in one sentence.
func (r *run) became(ctx context.Context, err error) string {
	var failed *preflight.Error
	switch {
	case ctx.Err() != nil:
		return "installation interrupted"
	case errors.As(err, &failed):
		var names []string
		for _, f := range failed.Failed {
			names = append(names, f.Name)
		}
		return "preflight checks failed: " + strings.Join(slices.Compact(names), ", ")
	case err != nil:
		return hostreport.Sentence(err)
	}
	return fmt.Sprintf("Ready, a %s of %s", r.target.Role, r.bundle.name())
}

// found is the result of the checks before an installation.
type found struct {
	checks *preflight.Result
	plan   []step.Event
}

// withHint returns the message of a check with its hint.
func withHint(c preflight.Check) string {
	if c.Hint == "" {
		return c.Message
	}
	return c.Message + " (hint: " + c.Hint + ")"
}

// admit runs the checks of the host, and opens the identity if needed: its content may
// differ from the files beside it, so the checks are repeated. It returns the run to
// continue with, never nil.
func (r *run) admit(ctx context.Context, q RunRequest) (*run, found, error) {
	f, err := r.check(ctx, q.Skip)
	if err != nil {
		return r, f, err
	}
	with, err := r.openIdentity(ctx, q.Passphrase)
	if err != nil || with == r {
		return r, f, err
	}
	f, err = with.check(ctx, q.Skip)
	return with, f, err
}

// check is preflight with failed checks as an error.
func (r *run) check(ctx context.Context, skip []string) (f found, err error) {
	if f.checks, f.plan, err = r.preflight(ctx, skip); err == nil {
		err = f.checks.Err()
	}
	return f, err
}

// finished reports whether an earlier run completed and every step is still done.
func (r *run) finished(plan []step.Event) bool {
	undone := func(e step.Event) bool { return e.Status.State != step.Done }
	return r.saved != nil && r.saved.Finished && len(plan) > 0 && !slices.ContainsFunc(plan, undone)
}

// apply runs the steps. The Target is saved on the host before.
func (r *run) apply(ctx context.Context, steps []step.Step, report *stepreport.Reporter) (err error) {
	if err := errors.Join(r.saveState(false), r.reports.KeepKey(), r.saveSealed()); err != nil {
		return err
	}
	j, err := openJournal(r.host, r.saved)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := step.Run(ctx, r.host, j, r.caller.kinds(r.caller.Report), steps, report.Event); err != nil {
		return err
	}
	return errors.Join(r.saveState(true), removeSealed(r.host))
}

// smokeTest tests a new cluster.
func (r *run) smokeTest(ctx context.Context) (*smoke.Report, error) {
	report, err := smoke.Run(ctx, r.host, r.assembly().smokeOptions(), r.caller.Report)
	if err != nil {
		return nil, err
	}
	err = report.Err()
	return report, err
}

// Result is the result of a run. Times are seconds: Test is the duration of the smoke
// test, Spent that of the programs run by the installer, by name, and Own the rest.
// Stick is the number of bytes that this process itself read from any disk, without the
// page cache.
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
	Undo    string             `json:"undo,omitempty"` // the command that undoes everything
}

func (r *run) result(changed []string, spent map[string]time.Duration, took time.Duration) *Result {
	role := r.target.Role
	done := &Result{
		Bundle: r.bundle.name(), Role: role, Node: r.target.Node, Changed: changed, Seconds: took.Seconds(),
		Spent: map[string]float64{}, Next: r.next(), Undo: target.ResetCommand(role), Needed: r.bundle.archive.Compressed(memberOf(role)), Stick: readBytes(r.host),
	}
	own := took
	for name, d := range spent {
		own -= d
		done.Spent[name] = d.Seconds()
	}
	done.Own = max(own, 0).Seconds()
	return done
}

// next lists what the operator does after this host.
func (r *run) next() []string {
	if !r.target.First {
		return nil
	}
	list := []string{"kubectl get nodes"}
	switch {
	case r.target.ByIdentity && len(r.target.Cluster.Hosts) > 1:
		list = append(list, "on every other host, in any order: ./install")
	case r.target.Role == manifest.Master:
		list = append(list, "on every other host, with this stick: ./install --role node")
	}
	return list
}

// WriteText prints the result as text.
func (r *Result) WriteText(w io.Writer) error {
	out := table.New(w)
	if len(r.Changed) == 0 {
		out.Line("this host already is a %s of %s and Ready: nothing changed", r.Role, r.Bundle)
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
	out.Line("took %.0f s: the installer itself %.1f s, %s", r.Seconds, r.Own, strings.Join(spent, ", "))
	if r.Stick >= 0 {
		out.Line("used %s of the archive, read %s from disk", progress.Size(r.Needed), progress.Size(r.Stick))
	}
	for _, n := range r.Next {
		out.Line("next: %s", n)
	}
	out.Line("to undo everything: %s", r.Undo)
	return out.Flush()
}

func counted(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what)) }

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

// readBytes returns read_bytes of /proc/PID/task/TID/io (proc(5)): the bytes that the
// threads of this process read from storage; -1 if unavailable. /proc/PID/io would
// include child processes.
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

// full reports a full disk as the cause of an error: each program reports it
// differently, for example as a damaged database. Preflight errors already name it, and
// a cancelled run has another cause.
func (t Tables) full(h *host.Host, err error) error {
	var checks *preflight.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &checks) {
		return err
	}
	dirs := []string{"/etc", "/usr"}
	if s, ok := h.Software.(software.Source); ok {
		dirs = append(dirs, s.About().Dirs...)
	}
	dirs = append(append(dirs, step.Dir), t.Runtimes.DataDirs()...)
	return h.Full(err, append(dirs, "/var/lib/etcd", "/var/lib/kubelet", "/var/log", "/run")...)
}
