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
		Short: "Say what this host is: system, addresses, disks, packages",
		Long: `Print what this host is. With --baseline only the list of its packages, in the form
that packages.baseline of a bundle's manifest and bundle lock --baseline take: the
closure is then solved against this very host. An installation leaves the same on
the stick, as hosts/NAME.json; --output json prints such a sheet, unsigned.`,
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
	c.Flags().BoolVar(&baseline, "baseline", false, "print only the packages, one a line")
	return c
}
