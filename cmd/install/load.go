package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/install/target"
)

func (a *app) loadCmd() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:   "load",
		Short: "Load missing images of this host's role",
		Long: `Load the images of this host's role that the container runtime does not have, from
the archive. The kubelet removes images when the disk fills up; this restores them.`,
		Example: "  ./install load\n  ./install load --role master",
		RunE: func(cmd *cobra.Command, _ []string) error {
			as, err := parseRole(role)
			if err != nil {
				return err
			}
			return a.on(func(h *host.Host, m install.Media, c install.Caller) (result, error) {
				r, err := install.Load(cmd.Context(), h, install.LoadRequest{Media: m, Caller: c, Host: target.Request{Role: as}})
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	cli.Resumes(c, "continue where it stopped")
	c.Flags().StringVar(&role, "role", "", "load the images of this role: master, node or single (default the role of an earlier run)")
	return c
}
