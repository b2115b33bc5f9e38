package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
)

// leastVolume is the smallest --volume-size, in bytes: 999 volumes can be.
const leastVolume = 1e6

func (a *app) buildCmd() *cobra.Command {
	var v overrides
	var o bundle.BuildOptions
	var k keyFlags
	var level, volume string
	var update bool
	c := &cobra.Command{
		Use:   "build [MANIFEST]",
		Short: "Write the archive",
		Long: `Write NAME-ARCH.tar.zst, its .sha256 and the installer into a directory. Without
a MANIFEST it is bundle.yaml in this directory, or, where there is none, the
default profile; the first line says which. MANIFEST may be a profile's name, too.
Without a lock beside the manifest, one is made and written first; with one,
exactly what it pins is fetched. What was fetched before comes from the cache.`,
		Example: `  bundle build
  bundle build my.yaml -o /mnt/usb --level better
  bundle build --mirror k8s.gcr.io=registry.example/google_containers
  bundle build -o /mnt/usb --volume-size 3900M
  bundle build -o /mnt/usb --sign kubecrate.key
  bundle build my.yaml --update --baseline /mnt/usb/hosts/node1-a1b2c3.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Level, err = archive.ParseLevel(level); err != nil {
				return &cli.UsageError{Err: err}
			}
			if o.VolumeSize, err = parseSize(volume); err != nil {
				return &cli.UsageError{Err: err}
			}
			if o.VolumeSize != 0 && o.VolumeSize < leastVolume {
				return cli.Usagef("--volume-size is %s, want 1M or more", volume)
			}
			t, err := v.load(cmd, args)
			if err != nil {
				return err
			}
			if o.Sign, err = k.read(cmd.Context()); err != nil {
				return err
			}
			limitMemory(o.Level)
			res, err := a.build(cmd.Context(), t, update, o)
			if err != nil {
				return err
			}
			return a.out.Print(res, res.WriteText)
		},
	}
	cli.Resumes(c, "continue: what was fetched is in the cache")
	v.flags(c)
	a.netFlags(c)
	f := c.Flags()
	f.StringVarP(&o.Dir, "out", "o", ".", "directory to write to, such as the stick")
	f.StringVar(&level, "level", archive.Default.String(), "how hard to compress: fast, default, better or best")
	completeLevel(c)
	f.StringVar(&volume, "volume-size", "", "split the archive into volumes of this size, such as 3900M")
	f.StringVar(&o.Installer, "installer", "", "installer to put beside the archive (default install-linux-ARCH or install beside this program)")
	k.flags(c, "sign", "secret key to sign what is written with, see bundle keygen")
	f.BoolVar(&update, "update", false, "lock again even when there is a lock")
	return c
}

// build locks where that is wanted or needed, then builds.
func (a *app) build(ctx context.Context, t *target, update bool, o bundle.BuildOptions) (res *bundle.Result, err error) {
	installer, err := bundle.FindInstaller(o.Installer, t.Platform.Arch)
	if err != nil {
		return nil, err
	}
	o.Installer = installer
	err = a.show(func(report progress.Func) error {
		t.say(report, "building")
		s, err := a.sources(t.Manifest, report)
		if err != nil {
			return err
		}
		l, err := lockFor(ctx, t, s, update, report)
		if err != nil {
			return err
		}
		res, err = bundle.Build(ctx, t.Manifest, l, s, o)
		return err
	})
	return res, err
}

func (a *app) sources(m *manifest.Manifest, report progress.Func) (*bundle.Sources, error) {
	o := a.net
	o.Report = report
	return bundle.OpenSources(m, o)
}

// lockFor reads the lock of t, or makes and writes it.
func lockFor(ctx context.Context, t *target, s *bundle.Sources, update bool, report progress.Func) (*manifest.Lock, error) {
	file := t.lock()
	l, err := manifest.ReadLock(file)
	switch {
	case err == nil && !update:
		if reason := l.Stale(t.Manifest); reason != "" {
			return nil, t.stale(fmt.Errorf("cannot build from %s: %s", file, reason))
		}
		report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "building exactly what " + file + " pins"})
		return l, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !update:
		return nil, hint.With(err, "%s writes it again", t.command("lock"))
	}
	if l, err = bundle.Lock(ctx, t.Manifest, s); err != nil {
		return nil, err
	}
	if err := manifest.WriteLock(file, l); err != nil {
		return nil, err
	}
	report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "wrote " + file})
	return l, nil
}

// stale says how the lock of t is brought up to date.
func (t *target) stale(err error) error {
	text := t.command("build", "--update") + " or " + t.command("lock") + " writes it again"
	if !t.changed() {
		text += "; a lock that was made with --set or --baseline wants the same flags here"
	}
	return hint.With(err, "%s", text)
}

func (a *app) lockCmd() *cobra.Command {
	var v overrides
	var check bool
	c := &cobra.Command{
		Use:   "lock [MANIFEST]",
		Short: "Pin what a manifest means: every RPM, image and file by digest",
		Long: `Write the lock beside the manifest: that of MANIFEST, or of bundle.yaml in this
directory, or, where there is none, of the default profile. Where there was one, what differs is listed:
another version in a repository, or a tag that leads to another image by now.

With --baseline the packages are solved against real hosts instead of the
manifest's packages.baseline: FILE is the sheet that install left on the stick
(hosts/NAME.json), or what ./install inventory --baseline printed on a host. One
bundle serves all hosts, so give the flag once for each of them: a package counts
as installed where every one has it, in the lowest version that is among them.
The lock covers those packages: bundle build needs the same --baseline.`,
		Example: `  bundle lock my.yaml          # writes my.lock
  bundle lock my.yaml --check  # fails when my.lock no longer says what would be locked now
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
			return a.writeLock(t.lock(), l)
		},
	}
	cli.Resumes(c, "continue: what was fetched is in the cache")
	v.flags(c)
	a.netFlags(c)
	c.Flags().BoolVar(&check, "check", false, "write nothing; fail when the lock is stale")
	return c
}

func (a *app) lock(ctx context.Context, t *target) (l *manifest.Lock, err error) {
	err = a.show(func(report progress.Func) error {
		t.say(report, "locking")
		s, err := a.sources(t.Manifest, report)
		if err != nil {
			return err
		}
		l, err = bundle.Lock(ctx, t.Manifest, s)
		return err
	})
	return l, err
}

// writeLock writes l and prints what differs from the lock that was there.
func (a *app) writeLock(file string, l *manifest.Lock) error {
	old, failed := manifest.ReadLock(file)
	if err := manifest.WriteLock(file, l); err != nil {
		return err
	}
	done := struct {
		Lock     string          `json:"lock"`
		Packages int             `json:"packages"`
		Images   int             `json:"images"`
		Files    int             `json:"files"`
		Changes  []report.Change `json:"changes,omitempty"`
	}{file, len(l.Packages), len(l.Images), len(l.Files), nil}
	if failed == nil {
		done.Changes = report.Diff(old, l)
	}
	return a.out.Print(done, func(w io.Writer) error {
		err := lines.Print(w, "wrote %s: %s, %s, %s", file, count(done.Packages, "package"), count(done.Images, "image"), count(done.Files, "file"))
		if err != nil || failed != nil {
			return err
		}
		return report.WriteDiff(w, done.Changes)
	})
}
