package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/version"
)

func (a *app) root() *cobra.Command {
	root := a.runCmd()
	root.Use = "install"
	// Without ./, install is the program of coreutils. For the same reason there is no
	// shell completion: completing the word install would run coreutils' program.
	root.Annotations[cobra.CommandDisplayNameAnnotation] = "./install"
	root.CompletionOptions.DisableDefaultCmd = true
	root.Short = "Bring up Kubernetes from the archive beside this program"
	root.Long = `Bring up Kubernetes on an isolated host from the archive beside this program: check
the host, verify the archive, prepare the host, install packages, load images, and
initialise or join the cluster.

The first master writes a ticket, join.yaml, beside the archive; nodes join with it.
Every host writes a signed host report to hosts/, and later hosts are compared with
it: names, addresses, clocks. Running the same command again continues where it
stopped, and changes nothing once everything is done. reset restores the host.`
	root.Example = `  ./install --role master      # the first host
  ./install --role node        # every other host, with the same stick
  ./install plan --role node   # show what would change, without changing it
  ./install status             # check that everything is still as installed
  ./install reset              # restore this host to its previous state`
	root.Version = version.String()
	a.out.Flags(root)
	root.PersistentFlags().StringVar(&a.media.Archive, "archive", "", "archive to use (default the one beside this program or in the current directory)")
	root.PersistentFlags().StringVar(&a.media.Trust.Key, "key", "", "public key, or its file, that must have signed the archive (default the key that this host trusts)")
	root.PersistentFlags().BoolVar(&a.media.Trust.Require, "require-signature", false, "refuse an unsigned archive (default once a key is known)")
	root.AddCommand(
		a.runCmd(), a.planCmd(), a.preflightCmd(), a.statusCmd(), a.resetCmd(),
		a.ticketCmd(), a.loadCmd(), a.smokeCmd(), a.inventoryCmd(),
		a.verifyCmd(), a.inspectCmd(), a.extractCmd(), a.versionCmd(root), a.manCmd(root),
	)
	return root
}
