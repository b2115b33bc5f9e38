package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) runCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Install: the same as install without a verb",
		Example: `  ./install run --role master --advertise-address 192.168.4.11
  ./install run --role node --ticket /mnt/usb/join.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.on(func(h *host.Host, s install.Settings) (result, error) {
				r, err := install.Run(cmd.Context(), h, s)
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	cli.Resumes(c, "continue where it stopped")
	a.hostFlags(c)
	f := c.Flags()
	cli.PeriodVar(f, &a.settings.TicketTTL, "ticket-ttl", ticketTTL, "how long the ticket that a master writes is good for")
	f.BoolVar(&a.settings.NoSmoke, "no-smoke", false, "leave out the test of the new cluster")
	cli.Group(c, "Joining", "ticket-ttl")
	cli.Group(c, "Checks and waiting", "no-smoke")
	return c
}
