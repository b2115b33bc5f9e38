package main

import (
	"context"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// overrides are the flags that change a manifest without editing it.
type overrides struct{ o manifest.Overrides }

func (v *overrides) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&v.o.Mirrors, "mirror", nil, "pull images of a registry from a mirror: REGISTRY=HOST/PREFIX[,HOST/PREFIX]")
	f.StringArrayVar(&v.o.Repos, "repo", nil, "take a yum repository from elsewhere: ID=URL[,URL]")
	f.StringArrayVar(&v.o.Set, "set", nil, "change a field of the manifest: network=calico, packages.baseline=none")
	f.StringArrayVar(&v.o.Baseline, "baseline", nil, "solve for hosts that have these packages: a host's sheet (hosts/NAME.json on the stick) or a list of NEVRAs; given again, what all of the hosts have")
	completeSet(c)
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

func (a *app) sources(m *manifest.Manifest, report progress.Func) (*bundle.Sources, error) {
	o := a.net
	o.Report = report
	return bundle.OpenSources(m, o)
}

// keyFlags name a secret key and where its passphrase is.
type keyFlags struct{ key, passphrase string }

func (k *keyFlags) flags(c *cobra.Command, key, usage string) {
	c.Flags().StringVar(&k.key, key, "", usage)
	passphraseFlag(c, &k.passphrase)
}

func passphraseFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "passphrase-file", "", "file whose first line is the key's passphrase (default: it is asked for)")
}

// read reads the secret key, nil where none is named.
func (k *keyFlags) read(ctx context.Context) (*trust.SecretKey, error) {
	if k.key == "" {
		return nil, nil
	}
	return trust.ReadSecretKey(k.key, func() (string, error) {
		return cli.Passphrase(ctx, k.passphrase, "passphrase of "+k.key, false)
	})
}
