package main

import (
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/identity"
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
			made, err := identity.Make(place, identity.Options{TTL: ttl, Now: time.Now()}, func() (string, error) {
				return cli.Passphrase(cmd.Context(), passphrase, "passphrase for the new identity", true)
			})
			if err != nil {
				return err
			}
			return a.out.Print(made, made.WriteText)
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
