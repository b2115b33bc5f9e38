package main

import (
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) smokeCmd() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "smoke",
		Short: "Test the cluster: nodes, DNS, services, the proxy mode",
		Long: `Run a pod on every node and reach it through its address, a service, DNS and a
NodePort; then remove all of it. Nothing is pulled from anywhere. On a node, only
what the node itself may see is tested.`,
		Example: "  ./install smoke",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.print(func(report progress.Func) (result, error) {
				q := install.SmokeRequest{Media: a.found(""), Caller: a.heard(report), Wait: wait}
				r, err := install.Smoke(cmd.Context(), local(report), q)
				if r == nil {
					return nil, err
				}
				return r, err
			})
		},
	}
	cli.PeriodVar(c.Flags(), &wait, "wait", waitFor, "how long to wait for what is still starting")
	return c
}
