package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/version"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bundle",
		Short: "Pack a Kubernetes cluster for hosts behind an air gap",
		Long: `Pack the pinned RPMs with their dependency closure, the container images and
the network manifest of a Kubernetes cluster into one archive, on a machine that
reaches the mirrors. Carry the archive and the installer beside it to the hosts.`,
		Example: `  bundle build                        # bundle.yaml of this directory, or the default profile
  bundle build my.yaml -o /mnt/usb    # an own manifest, straight to the stick
  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst
  bundle demo                         # the whole way without any network`,
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
