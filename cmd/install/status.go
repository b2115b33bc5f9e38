package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) statusCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Say whether this host is as the installation left it",
		Long: `Check every step of the installation again, such as swap after a reboot, or
images that the kubelet removed for want of space, and whether the node is Ready.
Nothing is touched. The exit code is 0 where all is as it should be, else 1.`,
		Example: "  ./install status\n  ./install status --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.settings.Archive, _ = a.path() // without the stick the copies on the host do
			return a.print(func(progress.Func) (result, error) {
				st, err := install.CheckStatus(cmd.Context(), host.Local(), a.settings)
				if st == nil {
					return nil, err
				}
				return st, err
			})
		},
	}
	a.ticketFlag(c)
	return c
}

func (a *app) resetCmd() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "reset",
		Short: "Take the installation back: this host as it was before",
		Long: `Undo every step of the installation in reverse: leave the cluster, remove what
was loaded and installed, and restore every file and service that was changed.
What somebody else changed since is kept beside, and named. The stick is not
needed. Running it again goes on where something failed.`,
		Example: "  ./install reset\n  ./install reset --keep-packages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.print(func(report progress.Func) (result, error) {
				s := a.settings
				s.Archive, _ = a.path() // the stick is not needed
				s.Report = report
				r, err := install.Reset(cmd.Context(), host.Local(), s, keep)
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	c.Flags().BoolVar(&keep, "keep-packages", false, "leave the installed packages where they are")
	return c
}
