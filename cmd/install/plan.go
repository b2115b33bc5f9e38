package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) planCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what an installation would change on this host; nothing is touched",
		Long: `List every step of an installation with what it would change here, and the checks
that it begins with. Nothing is touched. The exit code is 3 where a check failed or
a step is impossible.`,
		Example: `  ./install plan --role master
  ./install plan --role node --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.on(func(h *host.Host, s install.Settings) (result, error) {
				p, err := install.MakePlan(cmd.Context(), h, s)
				if err != nil {
					return nil, err
				}
				err = p.Err()
				return p, err
			})
		},
	}
	a.hostFlags(c)
	return c
}
