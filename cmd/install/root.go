package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/version"
)

func (a *app) root() *cobra.Command {
	root := a.runCmd()
	root.Use = "install"
	// Typed as install, it is another program: that of coreutils. For the same reason
	// there is no completion: TAB behind the word install would run that one.
	root.Annotations[cobra.CommandDisplayNameAnnotation] = "./install"
	root.CompletionOptions.DisableDefaultCmd = true
	root.Short = "Bring up Kubernetes from the archive beside this program"
	root.Long = `Bring up Kubernetes on an isolated host from the archive that stands beside this
program: check the host, verify the archive, prepare the host, install the
packages, load the images, and initialise or join the cluster.

The first master leaves a ticket, join.yaml, beside the archive; every node finds
it there. Every host leaves a sheet of what it is in hosts/, signed, and the next
one is compared with it: names, addresses, clocks. Running the same command again
goes on where it stopped, and changes nothing where all is done. reset puts the host back as it was.`
	root.Example = `  ./install --role master      # the first host
  ./install --role node        # every other one, stick in hand
  ./install plan --role node   # what would change; nothing is touched
  ./install status             # is everything still as installed?
  ./install reset              # put this host back as it was`
	root.Version = version.String()
	a.out.Flags(root)
	root.PersistentFlags().StringVar(&a.media.Archive, "archive", "", "archive to use (default the one beside this program or in this directory)")
	root.PersistentFlags().StringVar(&a.media.Trust.Key, "key", "", "public key, or its file, that the archive must be signed by (default the one that this host trusts)")
	root.PersistentFlags().BoolVar(&a.media.Trust.Require, "require-signature", false, "refuse an archive that is not signed (the default once a key is known)")
	root.AddCommand(
		a.runCmd(), a.planCmd(), a.preflightCmd(), a.statusCmd(), a.resetCmd(),
		a.ticketCmd(), a.loadCmd(), a.smokeCmd(), a.inventoryCmd(),
		a.verifyCmd(), a.inspectCmd(), a.extractCmd(), a.versionCmd(root), a.manCmd(root),
	)
	return root
}
