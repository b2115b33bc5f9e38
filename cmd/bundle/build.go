package main

import (
	"context"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
)

// minVolume is the smallest --volume-size, in bytes: an archive has 999 volumes
// at most.
const minVolume = 1e6

func (a *app) buildCmd() *cobra.Command {
	var v overrides
	var o bundle.BuildOptions
	var k keyFlags
	var level, volume string
	var update bool
	c := &cobra.Command{
		Use:   "build [MANIFEST]",
		Short: "Write the archive",
		Long: `Write NAME-ARCH.tar.zst, its .sha256 and the installer to a directory.
MANIFEST is a file or the name of a profile. The default is bundle.yaml in the
current directory, or the default profile if there is no such file.
If the manifest has a lock, exactly what it pins is downloaded; otherwise the
lock is written first. Earlier downloads are taken from the cache.`,
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
			if o.VolumeSize, err = volumeSize(volume); err != nil {
				return err
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
	cli.Resumes(c, "continue: finished downloads are in the cache")
	v.flags(c)
	a.netFlags(c)
	f := c.Flags()
	f.StringVarP(&o.Dir, "out", "o", ".", "output directory, such as the stick")
	f.StringVar(&level, "level", archive.Default.String(), "compression level: fast, default, better or best")
	completeLevel(c)
	f.StringVar(&volume, "volume-size", "", "split the archive into volumes of this size, such as 3900M")
	f.StringVar(&o.Installer, "installer", "", "installer to write next to the archive (default install-linux-ARCH or install next to this program)")
	k.flags(c, "sign", "secret key to sign the output with, see bundle keygen")
	f.BoolVar(&update, "update", false, "update an existing lock")
	return c
}

// volumeSize parses --volume-size; "" is 0, which splits only if the target needs it.
func volumeSize(text string) (int64, error) {
	n, err := cli.ParseSize(text)
	switch {
	case err != nil:
		return 0, &cli.UsageError{Err: err}
	case n != 0 && n < minVolume:
		return 0, cli.Usagef("--volume-size is %s, want 1M or more", text)
	}
	return n, nil
}

// build updates the lock if required, then builds.
func (a *app) build(ctx context.Context, t *target, update bool, o bundle.BuildOptions) (res *bundle.Result, err error) {
	installer, err := bundle.FindInstaller(o.Installer, t.Platform.Arch)
	if err != nil {
		return nil, err
	}
	o.Installer = installer
	err = a.show(func(report progress.Func) error {
		t.announce(report, "building")
		s, err := a.sources(t.Manifest, report)
		if err != nil {
			return err
		}
		l, err := bundle.LockAt(ctx, t.Manifest, s, t.lock(), update)
		if err != nil {
			return t.lockHint(err)
		}
		res, err = bundle.Build(ctx, t.Manifest, l, s, o)
		return err
	})
	return res, err
}
