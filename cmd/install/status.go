package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) statusCmd() *cobra.Command {
	var ticket string
	c := &cobra.Command{
		Use:   "status",
		Short: "Check whether this host is still as installed",
		Long: `Check every step of the installation again, for example swap after a reboot or
images that the kubelet removed to free disk space, and whether the node is Ready.
Nothing is changed. The exit code is 0 if everything is ok, else 1.`,
		Example: "  ./install status\n  ./install status --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.print(func(report progress.Func) (result, error) {
				c := a.heard(func(e progress.Event) {
					if e.Kind == progress.Warn || e.Kind == progress.Detail { // the status itself lists the steps
						report.Report(e)
					}
				})
				m := a.stick(c.Report) // without the stick, the copies on the host are used
				st, err := install.CheckStatus(cmd.Context(), local(report), install.StatusRequest{Media: m, Caller: c, Ticket: ticket})
				if st == nil {
					return nil, err
				}
				return st, err
			})
		},
	}
	ticketFlag(c, &ticket)
	return c
}
