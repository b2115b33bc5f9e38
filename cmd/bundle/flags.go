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
	f.StringArrayVar(&v.o.Mirrors, "mirror", nil, "pull the images of a registry from a mirror: REGISTRY=HOST/PREFIX[,HOST/PREFIX]")
	f.StringArrayVar(&v.o.Repos, "repo", nil, "replace the URLs of a yum repository: ID=URL[,URL]")
	f.StringArrayVar(&v.o.Set, "set", nil, "set a field of the manifest: network=calico, packages.baseline=none")
	f.StringArrayVar(&v.o.Baseline, "baseline", nil, "resolve for hosts that have these packages: a host report (hosts/NAME.json on the stick) or a list of NEVRAs; repeatable: then the packages that every host has")
	completeSet(c)
}

// netFlags adds the flags of the verbs that use the network.
func (a *app) netFlags(c *cobra.Command) {
	const jobs, retries, stall = 4, 4, 30 * time.Second
	f := c.Flags()
	f.StringVar(&a.net.Cache, "cache", "", "cache directory (default $XDG_CACHE_HOME/kubecrate or ~/.cache/kubecrate)")
	f.IntVar(&a.net.Jobs, "jobs", max(jobs, runtime.NumCPU()), "number of parallel downloads")
	f.IntVar(&a.net.Retries, "retries", retries, "attempts at one mirror before the next one is tried")
	f.DurationVar(&a.net.Stall, "stall", stall, "reconnect and resume when a connection sends nothing for this long")
	f.BoolVar(&a.net.Insecure, "insecure", false, "allow http:// to hosts other than this one")
	c.PreRunE = func(*cobra.Command, []string) error { return a.checkNet() }
}

// checkNet refuses values that would mean the default.
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

// keyFlags name a secret key and the file with its passphrase.
type keyFlags struct{ key, passphrase string }

func (k *keyFlags) flags(c *cobra.Command, key, usage string) {
	c.Flags().StringVar(&k.key, key, "", usage)
	passphraseFlag(c, &k.passphrase)
}

func passphraseFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "passphrase-file", "", "file whose first line is the key's passphrase (default: prompt)")
}

// read reads the secret key; it returns nil if none is named.
func (k *keyFlags) read(ctx context.Context) (*trust.SecretKey, error) {
	if k.key == "" {
		return nil, nil
	}
	return trust.ReadSecretKey(k.key, func() (string, error) {
		return cli.Passphrase(ctx, k.passphrase, "passphrase of "+k.key, false)
	})
}
