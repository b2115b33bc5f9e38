package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
)

func (a *app) loadCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "load",
		Short: "Load the images of this host's role that are missing",
		Long: `Load the images of this host's role from the archive into the container runtime,
those that are not there. The kubelet removes images when the disk fills up; this
brings them back.`,
		Example: "  ./install load\n  ./install load --role master",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.on(func(h *host.Host, s install.Settings) (result, error) {
				r, err := install.Load(cmd.Context(), h, s)
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	cli.Resumes(c, "continue where it stopped")
	c.Flags().StringVar(&a.role, "role", "", "whose images: master, node or single (default that of an earlier run)")
	return c
}
