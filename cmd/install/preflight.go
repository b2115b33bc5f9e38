package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) preflightCmd() *cobra.Command {
	var flags *hostFlags
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Check whether this host meets the requirements of its role",
		Long: `Run every check that an installation begins with, and report all failures at once.
Nothing is changed. The exit code is 3 if a check failed.`,
		Example: "  ./install preflight --role node",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.planned(flags, func(h *host.Host, q install.PlanRequest) (result, error) {
				r, err := install.Preflight(cmd.Context(), h, q)
				if r == nil {
					return nil, err
				}
				return r, err
			})
		},
	}
	flags = addHostFlags(c)
	return c
}
