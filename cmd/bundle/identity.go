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
		Short:   "Create a cluster's identity before any of its hosts boots",
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
		Long: `Create the certificate authorities of a cluster, the key pair of its service
accounts and a ticket, and write three files to the stick: cluster.yaml, which
lists the hosts, join.yaml, which lets every host join, and identity.age, which
holds the private keys, encrypted with a passphrase.

With these next to the archive, run ./install on every host, in any order: it
finds its host in cluster.yaml, masters ask for the passphrase, and a joining
host waits for the first master. Nothing has to be carried back.`,
		Example: `  bundle identity new -f cluster.yaml -o /mnt/usb
  bundle identity new -f cluster.yaml -o /mnt/usb --ttl 72h --passphrase-file secret.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return cli.Usagef("-f is missing: want a file that lists the hosts of the cluster")
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
	f.StringVarP(&place.Dir, "out", "o", ".", "output directory, created if missing: that of the archive, on the stick")
	f.DurationVar(&ttl, "ttl", identity.DefaultTTL, "how long hosts can join with the ticket")
	f.StringVar(&passphrase, "passphrase-file", "", "file whose first line is the passphrase (default: prompt)")
	f.BoolVar(&place.Replace, "replace", false, "replace an existing identity")
	return c
}
