package main

import (
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) runCmd() *cobra.Command {
	var flags *hostFlags
	var ttl time.Duration
	var noSmoke bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Install Kubernetes on this host; the same as ./install without a verb",
		Example: `  ./install run --role master --advertise-address 192.168.4.11
  ./install run --role node --ticket /mnt/usb/join.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.planned(flags, func(h *host.Host, q install.PlanRequest) (result, error) {
				r, err := install.Run(cmd.Context(), h, install.RunRequest{
					Media: q.Media, Caller: q.Caller, Host: q.Host, Passphrase: flags.ask, TicketTTL: ttl, Wait: q.Wait, Skip: q.Skip, NoSmoke: noSmoke, User: q.User,
				})
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	cli.Resumes(c, "continue where it stopped")
	flags = addHostFlags(c)
	f := c.Flags()
	cli.PeriodVar(f, &ttl, "ticket-ttl", ticketTTL, "lifetime of the ticket that a master writes")
	f.BoolVar(&noSmoke, "no-smoke", false, "skip the smoke test of the new cluster")
	cli.Group(c, "Joining", "ticket-ttl")
	cli.Group(c, "Checks and waiting", "no-smoke")
	return c
}
