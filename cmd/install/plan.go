package main

import (
	"os"

	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) planCmd() *cobra.Command {
	var flags *hostFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what an installation would change on this host, without changing it",
		Long: `Run the preflight checks and list every step of an installation with what it would
change on this host. Nothing is changed. The exit code is 3 if a check failed or a
step is impossible.`,
		Example: `  ./install plan --role master
  ./install plan --role node --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.planned(flags, func(h *host.Host, q install.PlanRequest) (result, error) {
				p, err := install.MakePlan(cmd.Context(), h, q)
				if err != nil {
					return nil, err
				}
				err = p.Err()
				return p, err
			})
		},
	}
	flags = addHostFlags(c)
	return c
}

// planned runs f with the installation described by the flags.
func (a *app) planned(flags *hostFlags, f func(h *host.Host, q install.PlanRequest) (result, error)) error {
	as, err := flags.request()
	if err != nil {
		return err
	}
	return a.on(func(h *host.Host, m install.Media, c install.Caller) (result, error) {
		user, err := sudoUser(os.Getenv)
		if err != nil {
			return nil, err
		}
		return f(h, install.PlanRequest{Media: m, Caller: c, Host: as, Wait: flags.wait, Skip: flags.skip, User: user})
	})
}
