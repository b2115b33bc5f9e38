package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/table"
)

func (a *app) lockCmd() *cobra.Command {
	var v overrides
	var check bool
	c := &cobra.Command{
		Use:   "lock [MANIFEST]",
		Short: "Resolve a manifest: pin every RPM, image and file by digest",
		Long: `Write the lock next to the manifest. The default MANIFEST is bundle.yaml in the
current directory, or the default profile if there is no such file. If a lock
exists, the differences are listed: a new version in a repository, or a tag that
now points to another image.

With --baseline the packages are resolved against real hosts instead of the
manifest's packages.baseline. FILE is the host report that install writes to the
stick (hosts/NAME.json), or the output of ./install inventory --baseline. One
bundle serves all hosts, so give the flag once for each host: a package counts as
installed if every host has it, in the lowest version found. The lock records
those packages: bundle build needs the same --baseline.`,
		Example: `  bundle lock my.yaml          # writes my.lock
  bundle lock my.yaml --check  # fails if my.lock is out of date
  bundle lock --baseline /mnt/usb/hosts/master1-0c1d2e.json --baseline /mnt/usb/hosts/node1-a1b2c3.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := v.load(cmd, args)
			if err != nil {
				return err
			}
			l, err := a.lock(cmd.Context(), t)
			if err != nil {
				return err
			}
			if check {
				return a.checkLock(t, l)
			}
			return a.writeLock(t, l)
		},
	}
	cli.Resumes(c, "continue: finished downloads are in the cache")
	v.flags(c)
	a.netFlags(c)
	c.Flags().BoolVar(&check, "check", false, "write nothing; fail if the lock is stale")
	return c
}

func (a *app) lock(ctx context.Context, t *target) (l *manifest.Lock, err error) {
	err = a.show(func(report progress.Func) error {
		t.announce(report, "locking")
		s, err := a.sources(t.Manifest, report)
		if err != nil {
			return err
		}
		l, err = bundle.Lock(ctx, t.Manifest, s)
		return err
	})
	return l, err
}

// checkLock compares the lock on disk with a fresh one.
func (a *app) checkLock(t *target, now *manifest.Lock) error {
	file := t.lock()
	old, err := manifest.ReadLock(file)
	if err != nil {
		return hint.With(err, "%s writes it", t.command("lock"))
	}
	changes := report.Diff(old, now)
	if len(changes) == 0 && old.Manifest == now.Manifest {
		return a.out.Print(map[string]any{"lock": file, "current": true}, func(w io.Writer) error {
			return table.Print(w, "%s is current", file)
		})
	}
	if err := a.out.Print(changes, func(w io.Writer) error { return report.WriteDiff(w, changes) }); err != nil {
		return err
	}
	return hint.With(fmt.Errorf("%s is stale", file), "%s writes it again", t.command("lock"))
}

// writeLock writes l and prints the differences from the previous lock.
func (a *app) writeLock(t *target, l *manifest.Lock) error {
	file := t.lock()
	old, failed := manifest.ReadLock(file)
	if err := manifest.WriteLock(file, l); err != nil {
		return err
	}
	done := struct {
		Lock         string             `json:"lock"`
		Packages     int                `json:"packages"`
		Images       int                `json:"images"`
		Files        int                `json:"files"`
		Changes      []report.Change    `json:"changes,omitempty"`
		Repositories []report.RepoTrust `json:"repositories,omitempty"`
	}{file, len(l.Packages), len(l.Images), len(l.Files), nil, report.Trusts(t.Manifest, l)}
	if failed == nil {
		done.Changes = report.Diff(old, l)
	}
	return a.out.Print(done, func(w io.Writer) error {
		err := table.Print(w, "wrote %s: %s, %s, %s", file, count(done.Packages, "package"), count(done.Images, "image"), count(done.Files, "file"))
		if err == nil {
			err = report.WriteTrusts(w, done.Repositories)
		}
		if err != nil || failed != nil {
			return err
		}
		return report.WriteDiff(w, done.Changes)
	})
}
