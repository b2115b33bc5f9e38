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

// Defaults of what is waited for.
const (
	ticketTTL = 24 * time.Hour
	waitFor   = 10 * time.Minute
)

// hostFlags are those of the verbs that decide what a host becomes.
type hostFlags struct {
	role       string
	host       target.Request
	wait       time.Duration
	skip       []string
	passphrase string // the file of it
}

// addHostFlags adds them to a verb.
func addHostFlags(c *cobra.Command) *hostFlags {
	o := &hostFlags{}
	f, h := c.Flags(), &o.host
	f.StringVar(&o.role, "role", "", "what this host becomes: master, node or single (default that of an earlier run, or of cluster.yaml)")
	f.StringVar(&h.ClusterFile, "cluster", "", "file that describes the cluster (default cluster.yaml beside the archive, if it is there)")
	f.StringSliceVar(&h.Hosts, "hosts", nil, "hosts for /etc/hosts: NAME=ADDRESS or NAME=ADDRESS=ROLE, with commas between")
	f.StringVar(&h.Hostname, "hostname", "", "name to give this host (default the one it has)")
	f.StringVar(&h.Address, "advertise-address", "", "address of this host within the cluster (default the one of the default route)")
	f.StringVar(&h.Interface, "interface", "", "network interface that leads to the other hosts (default the one of the address)")
	f.StringVar(&h.Endpoint, "endpoint", "", "HOST or HOST:PORT at which the control plane is reached (default this master's address)")
	f.StringVar(&h.PodCIDR, "pod-cidr", "", "network of the pods (default 10.244.0.0/16)")
	f.StringVar(&h.ServiceCIDR, "service-cidr", "", "network of the services (default 10.96.0.0/12)")
	f.StringVar(&h.ProxyMode, "proxy-mode", "", "how kube-proxy works: ipvs or iptables (default ipvs)")
	f.StringSliceVar(&o.skip, "skip-preflight", nil, "preflight checks whose failure only warns, comma-separated names (docs/PREFLIGHT.md)")
	ticketFlag(c, &h.Join.Ticket)
	f.StringVar(&h.Join.Master, "master", "", "HOST or HOST:PORT to join, with --token and --ca-cert-hash, instead of a ticket")
	f.StringVar(&h.Join.Token, "token", "", "token to join with")
	f.StringSliceVar(&h.Join.CACertHash, "ca-cert-hash", nil, "hash of the cluster's CA: sha256:HEX")
	cli.PeriodVar(f, &o.wait, "wait", 0, "how long to wait for the API server and for the host to be Ready (default 10m; for the master of an identity 12h)")
	f.StringVar(&h.Identity, "identity", "", "file of the cluster's identity (default identity.age beside the archive, if it is there)")
	f.StringVar(&o.passphrase, "passphrase-file", "", "file whose first line opens the identity, on masters (default: it is asked for)")
	cli.Group(c, "Cluster, on the first master", "endpoint", "pod-cidr", "service-cidr", "proxy-mode", "identity", "passphrase-file")
	cli.Group(c, "Joining", "ticket", "master", "token", "ca-cert-hash")
	cli.Group(c, "Checks and waiting", "skip-preflight", "wait")
	cli.Must(c.RegisterFlagCompletionFunc("skip-preflight", cobra.FixedCompletions(preflight.Skippable(), cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"master", "node", "single"}, cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(c.RegisterFlagCompletionFunc("proxy-mode", cobra.FixedCompletions([]string{manifest.ProxyIPVS, manifest.ProxyIPTables}, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

func ticketFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "ticket", "", "file of the ticket (default join.yaml beside the archive)")
}

// parseRole is the value of --role.
func parseRole(text string) (manifest.Role, error) {
	switch role := manifest.Role(text); role {
	case "", manifest.Master, manifest.Node, manifest.Single:
		return role, nil
	}
	return "", cli.Usagef("--role is %q, want master, node or single", text)
}

// request is what the flags say of the host, once they are parsed.
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

// ask asks for the passphrase of an identity.
func (o *hostFlags) ask(ctx context.Context, identity string) (string, error) {
	return cli.Passphrase(ctx, o.passphrase, "passphrase of "+identity, false)
}

// sudoUser is who called sudo, as sudo tells it.
func sudoUser(env func(string) string) (u kubeadm.User, err error) {
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
