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
		Long: `Make a new token and write the ticket, join.yaml, beside the archive and to
/var/lib/kubecrate on this host. Whoever holds it can join the cluster until it
expires. --revoke ends every ticket in the cluster itself, from any master, and
says what it ended; it fails where the cluster cannot be asked, or holds none.`,
		Example: `  ./install ticket
  ./install ticket --ttl 2h --ticket /mnt/usb/join.yaml
  ./install ticket --control-plane     # the next master may join with it
  ./install ticket --show              # the flags to type where the stick cannot be written
  ./install ticket --revoke            # nobody can join any more`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Show && o.Revoke {
				return cli.Usagef("--show and --revoke exclude each other")
			}
			return a.print(func(report progress.Func) (result, error) {
				q := o
				q.Media, q.Caller = a.stick(report), a.heard(report) // the ticket also goes to this host
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
	cli.PeriodVar(f, &o.TTL, "ttl", ticketTTL, "how long it is good for")
	f.BoolVar(&o.ControlPlane, "control-plane", false, "let the host that has it join as a master (the key for that is good for two hours)")
	f.BoolVar(&o.Show, "show", false, "print the flags that do the same as the ticket; they hold the token")
	f.BoolVar(&o.Revoke, "revoke", false, "end every ticket of the cluster: the tokens in it, whichever master made them, and the copies here and on the stick")
	return c
}
