package distro

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/visible"
)

// Other package managers are waited for this long, and looked at this often; a
// transaction of ours has time enough for a slow disk.
const (
	longestWait = 15 * time.Minute
	waitStep    = time.Second
	longest     = time.Hour
)

var errLong = errors.New("it did not end within an hour")

// working finds a package manager of root's at work, ok is false without one: one
// that holds a lock, or a command of ours that continued when the installer was
// killed. What other users run, and whatever only has the words of one among its
// arguments, does not count. A lock with a dead or recycled PID is stale.
func working(h *host.Host) (p host.Process, ok bool, err error) {
	if p, ok, err = holder(h); ok || err != nil {
		return p, ok, err
	}
	list, err := h.Processes()
	if err != nil {
		return p, false, err
	}
	for _, p := range list {
		if manages(p) && slices.Contains(p.Args, "--enablerepo="+repoID) {
			return p, true, nil
		}
	}
	return p, false, nil
}

// manages says that p may change packages.
func manages(p host.Process) bool {
	return p.Root && slices.Contains([]string{"yum", "dnf", "dnf-3", "dnf5", "dnf-automatic", "yum-cron", "packagekitd"}, p.Program)
}

// holder is the process behind the locks of yum and dnf.
func holder(h *host.Host) (p host.Process, ok bool, err error) {
	for _, lock := range []string{
		"/var/run/yum.pid", "/var/lib/dnf/rpmdb_lock.pid", "/var/cache/dnf/metadata_lock.pid", "/var/cache/dnf/download_lock.pid",
	} {
		text, err := h.Text(lock)
		if err != nil {
			return p, false, fmt.Errorf("cannot read %s: %w", lock, err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || pid <= 0 {
			continue
		}
		if p, ok := h.Process(pid); ok && manages(p) {
			return p, true, nil
		}
	}
	return p, false, nil
}

// wait returns when no package manager is at work: the transaction of a run
// that was killed goes on to its end, and two must not meet.
func (s packages) wait(ctx context.Context, h *host.Host) error {
	told := false
	for end := time.Now().Add(longestWait); ; {
		p, ok, err := working(h)
		if err != nil || !ok {
			return err
		}
		if time.Now().After(end) {
			return hint.With(fmt.Errorf("another package manager is at work for more than %v: process %d, %s", longestWait, p.PID, short(p)), "ps -fp %d; kill %d ends it", p.PID, p.PID)
		}
		if !told {
			told = true
			s.report.Report(progress.Event{Kind: progress.Note, Stage: StepName, Text: fmt.Sprintf("waits for process %d to end: %s", p.PID, short(p))})
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(s.pause):
		}
	}
}

// short is the start of a command line, fit to print.
func short(p host.Process) string {
	const most = 80
	line := []rune(visible.Line(p.CommandLine()))
	if len(line) > most {
		return string(line[:most]) + "..."
	}
	return string(line)
}

// test runs a transaction of the manager up to the point where it would change
// something: what is needed is there, nothing conflicts, no file belongs to two
// packages, the disk has room.
func (s packages) test(ctx context.Context, h *host.Host, verb string, names []string) error {
	argv := append(s.distro.bundleOnly(), "--setopt=tsflags=test", verb)
	if err := s.logged(ctx, h, testFile, append(argv, names...)); err != nil {
		return fmt.Errorf("cannot %s the packages, and nothing was changed: %w", verb, err)
	}
	return nil
}

// change runs a transaction for real. It is not ended in the middle when ctx is:
// half a transaction is worse than a minute.
func (s packages) change(ctx context.Context, h *host.Host, verb string, names []string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	task := fmt.Sprintf("%s %s, %d packages", s.distro.manager, verb, len(names))
	s.report.Report(progress.Event{Kind: progress.Start, Stage: StepName, Task: task, Total: progress.Unsized})
	stop := context.AfterFunc(ctx, func() {
		s.report.Report(progress.Event{Kind: progress.Note, Stage: StepName, Text: s.distro.manager + " is in the middle of its work; this stops when that has ended"})
	})
	err := s.runToCompletion(ctx, h, logFile, append(append(s.distro.bundleOnly(), verb), names...))
	stop()
	if err != nil {
		s.report.Report(progress.Event{Kind: progress.Failed, Stage: StepName, Task: task, Text: err.Error()})
		return fmt.Errorf("cannot %s the packages: %w", verb, err)
	}
	s.report.Report(progress.Event{Kind: progress.Done, Stage: StepName, Task: task})
	return nil
}

// runToCompletion runs a program to its end although ctx is at its own, but not for ever.
func (s packages) runToCompletion(ctx context.Context, h *host.Host, file string, argv []string) error {
	own, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), longest, errLong)
	defer cancel()
	err := s.logged(own, h, file, argv)
	if errors.Is(err, errLong) {
		return hint.With(fmt.Errorf("%s was ended: %w", argv[0], err), "tail %s shows where it stood", file)
	}
	return err
}

// logged runs a program whose output goes to a file, so that it goes on where
// this program is killed.
func (s packages) logged(ctx context.Context, h *host.Host, file string, argv []string) (err error) {
	log, err := h.State().Log(file)
	if err != nil {
		return fmt.Errorf("cannot write a log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	failed := h.Change(ctx, host.Cmd{Argv: argv, Log: log}, nil)
	if failed == nil || ctx.Err() != nil {
		return failed
	}
	said, err := h.Text(file)
	if err != nil {
		return failed
	}
	if host.ExitCode(failed) > 0 && file == logFile && complete(said) {
		// yum ends with an error, too, where a script failed that is not needed
		// for the package to be there.
		s.report.Report(progress.Event{Kind: progress.Warn, Stage: StepName, Text: fmt.Sprintf("%s did its work and complains: %v; %s has more", argv[0], s.distro.explain(failed, said), file)})
		return nil
	}
	return s.distro.explain(failed, said)
}
