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

// Timeout and interval of waiting for other package managers, and the timeout of a
// transaction, long enough for a slow disk.
const (
	longestWait = 15 * time.Minute
	waitStep    = time.Second
	longest     = time.Hour
)

var errLong = errors.New("timeout after one hour")

// working finds a running package manager of root: one that holds a lock, or a command
// of this program that continued after the installer was killed. Processes of other
// users, and programs with the same words as arguments, are ignored. A lock with a dead
// or recycled PID is stale.
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

// manages reports whether p may change packages.
func manages(p host.Process) bool {
	return p.Root && slices.Contains([]string{"yum", "dnf", "dnf-3", "dnf5", "dnf-automatic", "yum-cron", "packagekitd"}, p.Program)
}

// holder returns the process that holds a lock of yum or dnf.
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

// wait waits until no package manager is running: the transaction of a killed run
// continues, and two must not run at the same time.
func (s packages) wait(ctx context.Context, h *host.Host) error {
	told := false
	for end := time.Now().Add(longestWait); ; {
		p, ok, err := working(h)
		if err != nil || !ok {
			return err
		}
		if time.Now().After(end) {
			return hint.With(fmt.Errorf("another package manager is still running after %v: process %d, %s", longestWait, p.PID, short(p)), "ps -fp %d; kill %d ends it", p.PID, p.PID)
		}
		if !told {
			told = true
			s.report.Report(progress.Event{Kind: progress.Note, Stage: StepName, Text: fmt.Sprintf("waiting for process %d to exit: %s", p.PID, short(p))})
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(s.pause):
		}
	}
}

// short is the start of a command line, safe to print.
func short(p host.Process) string {
	const most = 80
	line := []rune(visible.Line(p.CommandLine()))
	if len(line) > most {
		return string(line[:most]) + "..."
	}
	return string(line)
}

// test runs a transaction of the manager up to the first change: it checks
// dependencies, conflicts, duplicate files and disk space.
func (s packages) test(ctx context.Context, h *host.Host, verb string, names []string) error {
	argv := append(s.distro.bundleOnly(), "--setopt=tsflags=test", verb)
	if err := s.logged(ctx, h, testFile, append(argv, names...)); err != nil {
		return fmt.Errorf("cannot %s the packages, nothing was changed: %w", verb, err)
	}
	return nil
}

// change runs a transaction. It does not interrupt a running transaction when ctx is
// cancelled: half a transaction is worse than waiting.
func (s packages) change(ctx context.Context, h *host.Host, verb string, names []string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	task := fmt.Sprintf("%s %s, %d packages", s.distro.manager, verb, len(names))
	s.report.Report(progress.Event{Kind: progress.Start, Stage: StepName, Task: task, Total: progress.Unsized})
	stop := context.AfterFunc(ctx, func() {
		s.report.Report(progress.Event{Kind: progress.Note, Stage: StepName, Text: "waiting for the running transaction of " + s.distro.manager + " before stopping"})
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

// runToCompletion runs a program to completion even if ctx is cancelled, with a timeout.
func (s packages) runToCompletion(ctx context.Context, h *host.Host, file string, argv []string) error {
	own, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), longest, errLong)
	defer cancel()
	err := s.logged(own, h, file, argv)
	if errors.Is(err, errLong) {
		return hint.With(fmt.Errorf("stopped %s: %w", argv[0], err), "tail %s shows its last output", file)
	}
	return err
}

// logged runs a program with its output in a file, so that it continues if this program
// is killed.
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
		// yum also exits with an error if a script failed that is not essential for the
		// installation of the package.
		s.report.Report(progress.Event{Kind: progress.Warn, Stage: StepName, Text: fmt.Sprintf("%s completed with errors: %v; see %s", argv[0], s.distro.explain(failed, said), file)})
		return nil
	}
	return s.distro.explain(failed, said)
}
