package main

import (
	"context"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
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
			if o.VolumeSize, err = cli.ParseSize(volume); err != nil {
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
		l, err := bundle.LockAt(ctx, t.Manifest, s, t.lock(), update)
		if err != nil {
			return t.lockHint(err)
		}
		res, err = bundle.Build(ctx, t.Manifest, l, s, o)
		return err
	})
	return res, err
}
