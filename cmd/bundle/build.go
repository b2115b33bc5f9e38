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
		Long: `Write NAME-ARCH.tar.zst, its .sha256 and the installer into a directory.
Without a lock beside the manifest, one is made and written first; with one,
exactly what it pins is fetched. What was fetched before comes from the cache.`,
		Example: `  bundle build
  bundle build my.yaml -o /mnt/usb --level better
  bundle build --mirror k8s.gcr.io=registry.example/google_containers
  bundle build -o /mnt/usb --volume-size 3900M
  bundle build -o /mnt/usb --sign kubecrate.key
  bundle build -o /mnt/usb --update --baseline /mnt/usb/hosts/node1-a1b2c3.json  # for a real host`,
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
			m, err := v.load(args)
			if err != nil {
				return err
			}
			if o.Sign, err = k.read(cmd.Context()); err != nil {
				return err
			}
			limitMemory(o.Level)
			res, err := a.build(cmd.Context(), m, lockPath(args), update, o)
			if err != nil {
				return err
			}
			return a.out.Print(res, res.WriteText)
		},
	}
	v.flags(c)
	a.netFlags(c)
	f := c.Flags()
	f.StringVarP(&o.Dir, "out", "o", ".", "directory to write to, such as the stick")
	f.StringVar(&level, "level", archive.Default.String(), "how hard to compress: fast, default, better or best")
	f.StringVar(&volume, "volume-size", "", "split the archive into volumes of this size, such as 3900M")
	f.StringVar(&o.Installer, "installer", "", "installer to put beside the archive (default install-linux-ARCH or install beside this program)")
	k.flags(c, "sign", "secret key to sign what is written with, see bundle keygen")
	f.BoolVar(&update, "update", false, "make the lock anew even when there is one")
	return c
}

// build locks where that is wanted or needed, then builds.
func (a *app) build(ctx context.Context, m *manifest.Manifest, lockFile string, update bool, o bundle.BuildOptions) (res *bundle.Result, err error) {
	installer, err := bundle.FindInstaller(o.Installer, m.Platform.Arch)
	if err != nil {
		return nil, err
	}
	o.Installer = installer
	err = a.show(func(report progress.Func) error {
		s, err := a.sources(m, report)
		if err != nil {
			return err
		}
		l, err := lockFor(ctx, m, s, lockFile, update, report)
		if err != nil {
			return err
		}
		res, err = bundle.Build(ctx, m, l, s, o)
		return err
	})
	return res, err
}

func (a *app) sources(m *manifest.Manifest, report progress.Func) (*bundle.Sources, error) {
	o := a.net
	o.Report = report
	return bundle.OpenSources(m, o)
}

// lockFor reads the lock, or makes and writes it.
func lockFor(ctx context.Context, m *manifest.Manifest, s *bundle.Sources, file string, update bool, report progress.Func) (*manifest.Lock, error) {
	l, err := manifest.ReadLock(file)
	switch {
	case err == nil && !update:
		if reason := l.Stale(m); reason != "" {
			return nil, hint.With(fmt.Errorf("cannot build from %s: %s", file, reason), "bundle build --update, or bundle lock, makes it anew; one that was made with --baseline wants the same --baseline here")
		}
		report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "building exactly what " + file + " pins"})
		return l, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !update:
		return nil, err
	}
	if l, err = bundle.Lock(ctx, m, s); err != nil {
		return nil, err
	}
	if err := manifest.WriteLock(file, l); err != nil {
		return nil, err
	}
	report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "wrote " + file})
	return l, nil
}

func (a *app) lockCmd() *cobra.Command {
	var v overrides
	var check bool
	c := &cobra.Command{
		Use:   "lock [MANIFEST]",
		Short: "Pin what a manifest means: every RPM, image and file by digest",
		Long: `Write the lock beside the manifest. Where there was one, what differs is listed:
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
			m, err := v.load(args)
			if err != nil {
				return err
			}
			l, err := a.lock(cmd.Context(), m)
			if err != nil {
				return err
			}
			if check {
				return a.checkLock(lockPath(args), l)
			}
			return a.writeLock(lockPath(args), l)
		},
	}
	v.flags(c)
	a.netFlags(c)
	c.Flags().BoolVar(&check, "check", false, "write nothing; fail when the lock is stale")
	return c
}

func (a *app) lock(ctx context.Context, m *manifest.Manifest) (l *manifest.Lock, err error) {
	err = a.show(func(report progress.Func) error {
		s, err := a.sources(m, report)
		if err != nil {
			return err
		}
		l, err = bundle.Lock(ctx, m, s)
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
		err := lines.Print(w, "wrote %s: %d packages, %d images, %d files", file, done.Packages, done.Images, done.Files)
		if err != nil || failed != nil {
			return err
		}
		return report.WriteDiff(w, done.Changes)
	})
}
