package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) inventoryCmd() *cobra.Command {
	var baseline bool
	c := &cobra.Command{
		Use:   "inventory",
		Short: "Show this host's system, addresses, disks and packages",
		Long: `Show this host's system, addresses, disks and packages. --baseline prints only the
packages, in the format of packages.baseline in a bundle's manifest and of bundle
lock --baseline, which then resolve dependencies for exactly this host. An
installation writes the same data to the stick as the host report hosts/NAME.json;
--output json prints it unsigned.`,
		Example: "  ./install inventory\n  ./install inventory --baseline >/mnt/usb/host1.baseline",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := install.Inventory(cmd.Context(), host.Local())
			if err != nil {
				return err
			}
			if baseline {
				return f.Baseline(a.out.Stdout)
			}
			return a.out.Print(f, f.WriteText)
		},
	}
	c.Flags().BoolVar(&baseline, "baseline", false, "print only the packages, one per line")
	return c
}
