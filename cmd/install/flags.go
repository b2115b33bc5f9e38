package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/install"
	"kubecrate/pkg/preflight"
)

// Defaults of what is waited for.
const (
	ticketTTL = 24 * time.Hour
	waitFor   = 10 * time.Minute
)

// hostFlags are those of the verbs that decide what a host becomes.
func (a *app) hostFlags(c *cobra.Command) {
	f := c.Flags()
	s := &a.settings
	f.StringVar(&a.role, "role", "", "what this host becomes: master, node or single (default that of an earlier run, or of cluster.yaml)")
	f.StringVar(&s.ClusterFile, "cluster", "", "file that describes the cluster (default cluster.yaml beside the archive, if it is there)")
	f.StringSliceVar(&s.Hosts, "hosts", nil, "hosts for /etc/hosts: NAME=ADDRESS or NAME=ADDRESS=ROLE, with commas between")
	f.StringVar(&s.Hostname, "hostname", "", "name to give this host (default the one it has)")
	f.StringVar(&s.Address, "advertise-address", "", "address of this host within the cluster (default the one of the default route)")
	f.StringVar(&s.Interface, "interface", "", "network interface that leads to the other hosts (default the one of the address)")
	f.StringVar(&s.Endpoint, "endpoint", "", "HOST or HOST:PORT at which the control plane is reached (default this master's address)")
	f.StringVar(&s.PodCIDR, "pod-cidr", "", "network of the pods (default 10.244.0.0/16)")
	f.StringVar(&s.ServiceCIDR, "service-cidr", "", "network of the services (default 10.96.0.0/12)")
	f.StringVar(&s.ProxyMode, "proxy-mode", "", "how kube-proxy works: ipvs or iptables (default ipvs)")
	f.StringSliceVar(&s.Skip, "skip-preflight", nil, "preflight checks whose failure only warns, comma-separated names (docs/PREFLIGHT.md)")
	a.ticketFlag(c)
	f.StringVar(&s.Join.Master, "master", "", "HOST or HOST:PORT to join, with --token and --ca-cert-hash, instead of a ticket")
	f.StringVar(&s.Join.Token, "token", "", "token to join with")
	f.StringSliceVar(&s.Join.CACertHash, "ca-cert-hash", nil, "hash of the cluster's CA: sha256:HEX")
	cli.PeriodVar(f, &s.Wait, "wait", 0, "how long to wait for the API server and for the host to be Ready (default 10m; for the master of an identity 12h)")
	f.StringVar(&s.Identity, "identity", "", "file of the cluster's identity (default identity.age beside the archive, if it is there)")
	f.StringVar(&a.passphrase, "passphrase-file", "", "file whose first line opens the identity, on masters (default: it is asked for)")
	cli.Group(c, "Cluster, on the first master", "endpoint", "pod-cidr", "service-cidr", "proxy-mode", "identity", "passphrase-file")
	cli.Group(c, "Joining", "ticket", "master", "token", "ca-cert-hash")
	cli.Group(c, "Checks and waiting", "skip-preflight", "wait")
	cli.Must(c.RegisterFlagCompletionFunc("skip-preflight", cobra.FixedCompletions(preflight.Skippable(), cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"master", "node", "single"}, cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("proxy-mode", cobra.FixedCompletions([]string{manifest.ProxyIPVS, manifest.ProxyIPTables}, cobra.ShellCompDirectiveNoFileComp)))
}

func (a *app) ticketFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.settings.Join.Ticket, "ticket", "", "file of the ticket (default join.yaml beside the archive)")
}

// finish completes the settings once the flags are parsed.
func (a *app) finish() error {
	switch role := manifest.Role(a.role); role {
	case "", manifest.Master, manifest.Node, manifest.Single:
		a.settings.Role = role
	default:
		return cli.Usagef("--role is %q, want master, node or single", a.role)
	}
	if err := preflight.CheckSkip(a.settings.Skip); err != nil {
		return &cli.UsageError{Err: err}
	}
	path, err := a.path()
	if err != nil {
		return err
	}
	a.settings.Archive = path
	a.settings.Passphrase = func(ctx context.Context, identity string) (string, error) {
		return cli.Passphrase(ctx, a.passphrase, "passphrase of "+identity, false)
	}
	a.settings.User, err = sudoUser(os.Getenv)
	return err
}

// sudoUser is who called sudo, as sudo tells it.
func sudoUser(env func(string) string) (u install.User, err error) {
	if env("SUDO_UID") == "" {
		return u, nil
	}
	u.Name = env("SUDO_USER")
	if u.UID, err = strconv.Atoi(env("SUDO_UID")); err == nil {
		u.GID, err = strconv.Atoi(env("SUDO_GID"))
	}
	if err != nil {
		return u, fmt.Errorf("cannot tell who called sudo: %w", err)
	}
	return u, nil
}
