package main

import (
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/version"
)

// app is what the verbs share: where they print and how they reach out.
type app struct {
	out cli.Out
	net bundle.SourceOptions
}

func newApp(stdout, stderr io.Writer) *app {
	return &app{out: cli.NewOut(stdout, stderr)}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bundle",
		Short: "Pack a Kubernetes cluster for hosts behind an air gap",
		Long: `Pack the pinned RPMs with their dependency closure, the container images and
the network manifest of a Kubernetes cluster into one archive, on a machine that
reaches the mirrors. Carry the archive and the installer beside it to the hosts.`,
		Example: `  bundle build                        # bundle.yaml of this directory, or the default profile
  bundle build my.yaml -o /mnt/usb    # an own manifest, straight to the stick
  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst
  bundle demo                         # the whole way without any network`,
		Version: version.String(),
	}
	a.out.Flags(root)
	root.AddCommand(
		a.initCmd(), a.profilesCmd(), a.schemaCmd(),
		a.lockCmd(), a.buildCmd(), a.verifyCmd(),
		a.inspectCmd(), a.diffCmd(), a.whyCmd(),
		a.keygenCmd(), a.signCmd(),
		a.identityCmd(), a.demoCmd(), cli.VersionCmd(root, &a.out), cli.ManCmd(root, &a.out, manual()),
	)
	return root
}

// netFlags adds the flags of the verbs that reach out to mirrors.
func (a *app) netFlags(c *cobra.Command) {
	const jobs, retries, stall = 4, 4, 30 * time.Second
	f := c.Flags()
	f.StringVar(&a.net.Cache, "cache", "", "directory of the cache (default $XDG_CACHE_HOME/kubecrate or ~/.cache/kubecrate)")
	f.IntVar(&a.net.Jobs, "jobs", max(jobs, runtime.NumCPU()), "downloads at a time")
	f.IntVar(&a.net.Retries, "retries", retries, "tries at one mirror before the next one is asked")
	f.DurationVar(&a.net.Stall, "stall", stall, "a connection that sends no byte for this long is cut and resumed")
	f.BoolVar(&a.net.Insecure, "insecure", false, "allow http:// to other hosts than this one")
	c.PreRunE = func(*cobra.Command, []string) error { return a.checkNet() }
}

// checkNet refuses numbers that would be taken for the defaults.
func (a *app) checkNet() error {
	switch {
	case a.net.Jobs < 1:
		return cli.Usagef("--jobs is %d, want 1 or more", a.net.Jobs)
	case a.net.Retries < 1:
		return cli.Usagef("--retries is %d, want 1 or more", a.net.Retries)
	case a.net.Stall <= 0:
		return cli.Usagef("--stall is %s, want a duration such as 30s", a.net.Stall)
	}
	return nil
}

// show starts progress, runs f and closes it, whatever f returns.
func (a *app) show(f func(progress.Func) error) error {
	r := a.out.Progress()
	defer r.Close()
	return f(r.Event)
}
