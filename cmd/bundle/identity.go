package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/media"
)

func (a *app) identityCmd() *cobra.Command {
	c := &cobra.Command{
		Use:     "identity",
		Short:   "Make a cluster's identity before any of its hosts boots",
		Example: "  bundle identity new -f cluster.yaml -o /mnt/usb",
	}
	c.AddCommand(a.identityNewCmd())
	return c
}

func (a *app) identityNewCmd() *cobra.Command {
	var file, passphrase string
	var ttl time.Duration
	var place identity.Place
	c := &cobra.Command{
		Use:   "new -f CLUSTER [-o DIR]",
		Short: "Write the identity of a cluster to the stick",
		Long: `Make the certificate authorities of a cluster, the key pair of its service
accounts and a ticket, and write three files to the stick: cluster.yaml, which
lists the hosts, join.yaml, with which every host can join, and identity.age,
which holds the private keys, encrypted with a passphrase.

With these beside the archive, every host runs plain ./install, in any order: it
finds itself in cluster.yaml, masters ask for the passphrase, and a host that
joins waits for the first master. Nothing has to be carried back.`,
		Example: `  bundle identity new -f cluster.yaml -o /mnt/usb
  bundle identity new -f cluster.yaml -o /mnt/usb --ttl 72h --passphrase-file secret.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return cli.Usagef("-f is missing: a file that lists the hosts of the cluster")
			}
			if ttl <= 0 {
				return cli.Usagef("--ttl is %s, want a duration such as 72h", ttl)
			}
			place.From = file
			made, err := newIdentity(cmd.Context(), place, passphrase, ttl)
			if err != nil {
				return err
			}
			return a.out.Print(made, made.writeText)
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "file that lists the hosts of the cluster")
	f.StringVarP(&place.Dir, "out", "o", ".", "directory to write to, made if missing: that of the archive, on the stick")
	f.DurationVar(&ttl, "ttl", identity.DefaultTTL, "how long hosts can join with it")
	f.StringVar(&passphrase, "passphrase-file", "", "file whose first line is the passphrase (default: it is asked for)")
	f.BoolVar(&place.Replace, "replace", false, "replace an identity that is there")
	return c
}

// madeIdentity is what was written. It holds no secret.
type madeIdentity struct {
	Files    []string        `json:"files"`
	Cluster  string          `json:"cluster"`
	Endpoint string          `json:"endpoint"`
	CAHash   string          `json:"caHash"`
	Expires  string          `json:"expires"`
	Hosts    []manifest.Host `json:"hosts"`
}

func newIdentity(ctx context.Context, place identity.Place, passphraseFile string, ttl time.Duration) (*madeIdentity, error) {
	cluster, err := manifest.ReadCluster(media.Named(place.From))
	if err != nil {
		return nil, err
	}
	if err := identity.Complete(cluster); err != nil {
		return nil, err
	}
	passphrase, err := cli.Passphrase(ctx, passphraseFile, "passphrase for the new identity", true)
	if err != nil {
		return nil, err
	}
	if err := identity.CheckPassphrase([]byte(passphrase)); err != nil {
		return nil, hint.With(err, "four or five words that nobody would put together")
	}
	id, err := identity.New(cluster, identity.Options{TTL: ttl, Now: time.Now()})
	if err != nil {
		return nil, err
	}
	sealed, err := id.Seal([]byte(passphrase), 0)
	if err != nil {
		return nil, err
	}
	made := &madeIdentity{
		Cluster: cluster.Name, Endpoint: id.Ticket.Endpoint, CAHash: id.Ticket.CACertHashes[0],
		Expires: id.Ticket.Expires, Hosts: cluster.Hosts,
	}
	if err := archive.MakeDir(place.Dir); err != nil {
		return nil, err
	}
	made.Files, err = id.Write(place, cluster, sealed)
	return made, err
}

func (m *madeIdentity) writeText(w io.Writer) error {
	out := lines.New(w)
	for _, f := range m.Files {
		out.Line("wrote %s", f)
	}
	out.Line("cluster %s at %s, CA %s", m.Cluster, m.Endpoint, m.CAHash)
	for i, h := range m.Hosts {
		out.Line("%2d\t%s\t%s\t%s", i+1, h.Name, h.Address, h.Role)
	}
	out.Line("hosts can join until %s; whoever has join.yaml can, so keep the stick", m.Expires)
	out.Line("next: on every host, in any order: ./install; masters ask for the passphrase")
	return out.Flush()
}
