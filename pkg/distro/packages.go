package distro

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Packages is the step that installs the packages of the bundle that the host lacks or
// has in an older build, from the repository rpms/ in the archive. Its check queries
// rpm's database: a package of the lock is present if a build of its name and
// architecture is installed that is as new or newer, and that has the version, if the
// manifest requires one. report may be nil.
//
// Undo removes packages that the bundle installed, except those that other packages
// need meanwhile; upgraded packages stay upgraded.
func Packages(d Distro, b software.Bundle, report progress.Func) step.Step {
	return packages{distro: d, bundle: b, report: report, pause: waitStep}
}

// StepName is the name of the step Packages.
const StepName = "packages"

// Kinds returns the kinds of this package's steps. report, which may be nil, gets a
// warning for each package that stays.
func Kinds(report progress.Func) step.Kinds {
	return step.Kinds{step.With(StepName, func(p params) (step.Step, error) {
		d, err := For(p.Family)
		return Packages(d, software.Bundle{}, report), err
	})}
}

// params are the parameters in the step's begin record.
type params struct {
	Family string `json:"family"`
}

type packages struct {
	distro Distro
	bundle software.Bundle
	report progress.Func
	pause  time.Duration
}

func (packages) Name() string { return StepName }

// Params is step.Parameters'.
func (s packages) Params() any { return params{s.distro.name} }

// todo is the result of checking the host.
type todo struct {
	missing    []change
	problems   []problem
	again      []string      // interrupted, to reinstall
	duplicates []nevra.NEVRA // to remove
	others     []nevra.NEVRA // duplicates that this program did not cause
	unowned    []string      // files that would be overwritten
}

func (s packages) look(ctx context.Context, h *host.Host, r *record) (t todo, err error) {
	have, err := s.distro.readInstalled(ctx, h)
	if err != nil {
		return t, err
	}
	t.missing, t.problems = compare(s.bundle.Packages, have)
	if t.again, err = r.again(h, have); err != nil {
		return t, err
	}
	t.duplicates, t.others = r.duplicates(have, s.bundle.Packages)
	if len(t.missing) == 0 {
		return t, nil
	}
	primary, err := readPrimary(ctx, s.bundle.Archive)
	if err != nil {
		return t, err
	}
	found, err := s.distro.findConflicts(ctx, h, have, t.missing, primary)
	if err != nil {
		return t, err
	}
	t.problems = append(t.problems, found...)
	if len(r.Packages) == 0 { // else an interrupted transaction of this program may have written them
		t.unowned, err = unowned(ctx, h, t.missing, primary)
	}
	return t, err
}

func (s packages) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	p, ok, err := working(h)
	if err != nil {
		return st, err
	}
	if ok {
		st.Todo("wait for process %d: %s", p.PID, short(p))
		return st, nil
	}
	r, err := readRecord(h)
	if err != nil {
		return st, err
	}
	t, err := s.look(ctx, h, r)
	if err != nil {
		return st, err
	}
	if len(t.problems) > 0 {
		return s.impossible(t), nil
	}
	for _, n := range t.duplicates {
		st.Todo("remove %s, left by an interrupted upgrade", n)
	}
	for _, c := range t.missing {
		st.Todo("%s", c)
	}
	for _, p := range t.again {
		st.Todo("reinstall %s: its installation was interrupted", p)
	}
	for _, n := range t.others {
		st.Warn("%s is installed beside a newer build; %s, or rpm -e %s", n, s.distro.duplicatesHint(), label(n))
	}
	if len(t.unowned) > 0 {
		const most = 5
		st.Warn("%d programs that belong to no package will be overwritten permanently: %s", len(t.unowned), strings.Join(t.unowned[:min(most, len(t.unowned))], " "))
	}
	if st.State != step.ToDo {
		return st, nil
	}
	text, err := h.Text(repoFile)
	if err != nil {
		return st, err
	}
	st.File(repoFile, text, s.distro.repoText())
	return st, nil
}

func (s packages) impossible(t todo) step.Status {
	st := step.Status{State: step.Impossible, Hint: s.distro.hint(t.problems)}
	for _, p := range t.problems {
		st.What = append(st.What, p.what)
	}
	return st
}

func (s packages) Apply(ctx context.Context, h *host.Host) error {
	if err := s.wait(ctx, h); err != nil {
		return err
	}
	r, err := readRecord(h)
	if err != nil {
		return err
	}
	t, err := s.look(ctx, h, r)
	if err != nil {
		return err
	}
	if len(t.problems) > 0 {
		return hint.With(fmt.Errorf("%w: %s", errImpossible, t.problems[0].what), "%s", s.distro.hint(t.problems))
	}
	if len(t.missing)+len(t.again)+len(t.duplicates) == 0 { // the awaited process installed everything
		return nil
	}
	if err := s.repository(ctx, h); err != nil {
		return err
	}
	if err := s.drop(ctx, h, t.duplicates); err != nil {
		return err
	}
	return s.install(ctx, h, r, t)
}

// repository unpacks the bundle's repository and configures the manager for it.
func (s packages) repository(ctx context.Context, h *host.Host) error {
	if err := s.unpack(ctx, h); err != nil {
		return err
	}
	if err := s.configure(h); err != nil {
		return err
	}
	if err := forget(h); err != nil {
		return fmt.Errorf("cannot remove the cache of an older repository: %w", err)
	}
	text, err := h.Text(repoFile)
	if err != nil || text == s.distro.repoText() {
		return err
	}
	return h.WriteFile(repoFile, []byte(s.distro.repoText()), host.FileMode)
}

// drop removes the older builds left by an interrupted upgrade. rpm keeps files that
// the newer builds also own.
func (s packages) drop(ctx context.Context, h *host.Host, list []nevra.NEVRA) error {
	if len(list) == 0 {
		return nil
	}
	argv := append([]string{"rpm", "-e"}, labels(list)...)
	if err := s.logged(ctx, h, testFile, append([]string{"rpm", "-e", "--test"}, labels(list)...)); err != nil {
		return hint.With(fmt.Errorf("cannot remove %s, left by an interrupted upgrade: %w", strings.Join(labels(list), " "), err), "%s", host.CommandLine(argv))
	}
	if err := s.runToCompletion(ctx, h, eraseFile, argv); err != nil {
		return fmt.Errorf("cannot remove %s: %w", strings.Join(labels(list), " "), err)
	}
	return nil
}

// install installs missing packages, then reinstalls those of interrupted commands,
// whose scripts may not have run. The record is saved before anything changes.
func (s packages) install(ctx context.Context, h *host.Host, r *record, t todo) error {
	var names []string
	for _, c := range t.missing {
		names = append(names, c.want.String())
	}
	if err := s.testAll(ctx, h, names, t.again); err != nil {
		return err
	}
	r.add(t.missing)
	r.Unfinished = t.again
	for _, c := range []struct {
		verb  string
		names []string
	}{{"install", names}, {"reinstall", t.again}} {
		if len(c.names) == 0 {
			continue
		}
		if c.verb == "reinstall" {
			r.Unfinished = nil // they are in Running now
		}
		if err := s.one(ctx, h, r, c.verb, c.names); err != nil {
			return err
		}
	}
	return nil
}

// testAll tests what can be tested before the first change: packages to reinstall may
// need missing ones.
func (s packages) testAll(ctx context.Context, h *host.Host, missing, again []string) error {
	if len(missing) > 0 {
		return s.test(ctx, h, "install", missing)
	}
	if len(again) > 0 {
		return s.test(ctx, h, "reinstall", again)
	}
	return nil
}

// one runs a transaction and records its start and end. The log is truncated first, so
// that its old end is not taken for the end of this transaction.
func (s packages) one(ctx context.Context, h *host.Host, r *record, verb string, names []string) error {
	log, err := h.State().Log(logFile)
	if err != nil {
		return fmt.Errorf("cannot write a log: %w", err)
	}
	if err := log.Close(); err != nil {
		return err
	}
	r.Running = names
	if err := r.save(h); err != nil {
		return err
	}
	if err := s.change(ctx, h, verb, names); err != nil {
		return err
	}
	r.Running = nil
	return r.save(h)
}
