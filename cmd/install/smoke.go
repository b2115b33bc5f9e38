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
		Short: "Test the cluster: nodes, DNS, services, proxy mode",
		Long: `Run a pod on every node, connect to it by address, service, DNS and NodePort, then
remove the pods. No images are pulled. On a node, only what its kubelet's
credentials can access is tested.`,
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
	cli.PeriodVar(c.Flags(), &wait, "wait", waitFor, "timeout for components that are still starting")
	return c
}
