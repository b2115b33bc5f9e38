package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/version"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bundle",
		Short: "Pack a Kubernetes cluster for air-gapped hosts",
		Long: `Pack the pinned RPMs with their dependencies, the container images and the network
manifest of a Kubernetes cluster into one archive, on a machine with Internet
access. Carry the archive and the installer written next to it to the hosts.`,
		Example: `  bundle build                        # bundle.yaml in this directory, or the default profile
  bundle build my.yaml -o /mnt/usb    # your own manifest, straight to the stick
  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst
  bundle demo                         # everything without a network`,
		Version: version.String(),
	}
	a.out.Flags(root)
	root.AddCommand(
		a.initCmd(), a.profilesCmd(), a.schemaCmd(),
		a.lockCmd(), a.buildCmd(), a.verifyCmd(),
		a.inspectCmd(), a.diffCmd(), a.whyCmd(),
		a.keygenCmd(), a.signCmd(),
		a.identityCmd(), a.demoCmd(), a.versionCmd(root), a.manCmd(root),
	)
	return root
}
