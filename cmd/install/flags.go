package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/preflight"
)

// Default lifetime of tickets, and default timeout.
const (
	ticketTTL = 24 * time.Hour
	waitFor   = 10 * time.Minute
)

// hostFlags are the flags of the verbs that decide what a host becomes.
type hostFlags struct {
	role       string
	host       target.Request
	wait       time.Duration
	skip       []string
	passphrase string // file that holds it
}

// addHostFlags adds these flags to a verb.
func addHostFlags(c *cobra.Command) *hostFlags {
	o := &hostFlags{}
	f, h := c.Flags(), &o.host
	f.StringVar(&o.role, "role", "", "role of this host: master, node or single (default the role of an earlier run, or in cluster.yaml)")
	f.StringVar(&h.ClusterFile, "cluster", "", "file that describes the cluster (default cluster.yaml beside the archive, if present)")
	f.StringSliceVar(&h.Hosts, "hosts", nil, "comma-separated hosts for /etc/hosts: NAME=ADDRESS or NAME=ADDRESS=ROLE")
	f.StringVar(&h.Hostname, "hostname", "", "hostname to set (default the current one)")
	f.StringVar(&h.Address, "advertise-address", "", "address of this host in the cluster (default the address of the default route)")
	f.StringVar(&h.Interface, "interface", "", "network interface connected to the other hosts (default the interface of the address)")
	f.StringVar(&h.Endpoint, "endpoint", "", "HOST or HOST:PORT of the control plane (default this master's address)")
	f.StringVar(&h.PodCIDR, "pod-cidr", "", "pod network (default 10.244.0.0/16)")
	f.StringVar(&h.ServiceCIDR, "service-cidr", "", "service network (default 10.96.0.0/12)")
	f.StringVar(&h.ProxyMode, "proxy-mode", "", "kube-proxy mode: ipvs or iptables (default ipvs)")
	f.StringSliceVar(&o.skip, "skip-preflight", nil, "comma-separated preflight checks whose failure only warns (docs/PREFLIGHT.md)")
	ticketFlag(c, &h.Join.Ticket)
	f.StringVar(&h.Join.Master, "master", "", "HOST or HOST:PORT of the master to join, with --token and --ca-cert-hash, instead of a ticket")
	f.StringVar(&h.Join.Token, "token", "", "bootstrap token")
	f.StringSliceVar(&h.Join.CACertHash, "ca-cert-hash", nil, "hash of the cluster CA's public key: sha256:HEX")
	cli.PeriodVar(f, &o.wait, "wait", 0, "timeout for the API server and for this node to become Ready (default 10m; 12h for a master with an identity)")
	f.StringVar(&h.Identity, "identity", "", "identity file of the cluster (default identity.age beside the archive, if present)")
	f.StringVar(&o.passphrase, "passphrase-file", "", "file whose first line is the passphrase of the identity, on masters (default: prompt)")
	cli.Group(c, "Cluster, on the first master", "endpoint", "pod-cidr", "service-cidr", "proxy-mode", "identity", "passphrase-file")
	cli.Group(c, "Joining", "ticket", "master", "token", "ca-cert-hash")
	cli.Group(c, "Checks and waiting", "skip-preflight", "wait")
	cli.Must(c.RegisterFlagCompletionFunc("skip-preflight", cobra.FixedCompletions(preflight.Skippable(), cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"master", "node", "single"}, cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("proxy-mode", cobra.FixedCompletions([]string{manifest.ProxyIPVS, manifest.ProxyIPTables}, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

func ticketFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "ticket", "", "ticket file (default join.yaml beside the archive)")
}

// parseRole parses the value of --role.
func parseRole(text string) (manifest.Role, error) {
	switch role := manifest.Role(text); role {
	case "", manifest.Master, manifest.Node, manifest.Single:
		return role, nil
	}
	return "", cli.Usagef("--role is %q, want master, node or single", text)
}

// request returns what the parsed flags say about the host.
func (o *hostFlags) request() (target.Request, error) {
	h := o.host
	var err error
	if h.Role, err = parseRole(o.role); err != nil {
		return h, err
	}
	if err := preflight.CheckSkip(o.skip); err != nil {
		return h, &cli.UsageError{Err: err}
	}
	return h, nil
}

// ask returns the passphrase of an identity, from its file or the terminal.
func (o *hostFlags) ask(ctx context.Context, identity string) (string, error) {
	return cli.Passphrase(ctx, o.passphrase, "passphrase of "+identity, false)
}

// sudoUser is the user who called sudo, from the variables that sudo sets.
func sudoUser(env func(string) string) (u kubeadm.User, err error) {
	if env("SUDO_UID") == "" {
		return u, nil
	}
	u.Name = env("SUDO_USER")
	if u.UID, err = strconv.Atoi(env("SUDO_UID")); err == nil {
		u.GID, err = strconv.Atoi(env("SUDO_GID"))
	}
	if err != nil {
		return u, fmt.Errorf("cannot determine who called sudo: %w", err)
	}
	return u, nil
}
