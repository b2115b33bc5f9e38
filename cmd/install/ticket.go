package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) ticketCmd() *cobra.Command {
	var o install.TicketRequest
	c := &cobra.Command{
		Use:   "ticket",
		Short: "On a master: write a new ticket for hosts that join",
		Long: `Create a token and write the ticket, join.yaml, beside the archive and to
/var/lib/kubecrate on this host. Any host with the ticket can join the cluster until
it expires. --revoke, on any master, revokes every ticket of the cluster and lists
them; it fails if the cluster is unreachable or has no ticket.`,
		Example: `  ./install ticket
  ./install ticket --ttl 2h --ticket /mnt/usb/join.yaml
  ./install ticket --control-plane     # for another master
  ./install ticket --show              # print flags to type if the stick cannot be written
  ./install ticket --revoke            # no further host can join`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Show && o.Revoke {
				return cli.Usagef("--show and --revoke are mutually exclusive")
			}
			return a.print(func(report progress.Func) (result, error) {
				q := o
				q.Media, q.Caller = a.stick(report), a.heard(report) // the ticket is also written to this host
				t, err := install.Ticket(cmd.Context(), local(report), q)
				if t == nil {
					return nil, err
				}
				return t, err
			})
		},
	}
	ticketFlag(c, &o.Ticket)
	f := c.Flags()
	cli.PeriodVar(f, &o.TTL, "ttl", ticketTTL, "lifetime of the ticket")
	f.BoolVar(&o.ControlPlane, "control-plane", false, "allow joining as a master (the key for that expires after two hours)")
	f.BoolVar(&o.Show, "show", false, "print the flags equivalent to the ticket; they contain the token")
	f.BoolVar(&o.Revoke, "revoke", false, "revoke every ticket of the cluster: delete all its tokens, and the copies on this host and the stick")
	return c
}
