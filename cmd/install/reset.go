package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) resetCmd() *cobra.Command {
	var keep, yes, plan bool
	c := &cobra.Command{
		Use:   "reset",
		Short: "Undo the installation: restore this host to its previous state",
		Long: `Undo every step of the installation in reverse order: leave the cluster, remove
loaded images and installed packages, and restore changed files and services. Files
changed since the installation are saved and listed. The stick is not needed. After
a failure, run it again to continue.

On a master this deletes its part of the cluster, including etcd data: on a terminal
it asks for the name of the node. In all other cases --yes is required.`,
		Example: "  ./install reset --plan     # show what would be undone, without changing it\n  ./install reset\n  ./install reset --yes --keep-packages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h := host.Local()
			p, err := install.PlanReset(h, install.ResetRequest{KeepPackages: keep})
			if err != nil {
				return err
			}
			if plan {
				return a.out.Print(p, p.WriteText)
			}
			if err := confirmReset(cmd.Context(), p, yes, cli.AskTerminal()); err != nil {
				return err
			}
			return a.print(func(report progress.Func) (result, error) {
				q := install.ResetRequest{Media: a.stick(report), Caller: a.heard(report), KeepPackages: keep} // the stick is not needed
				r, err := install.Reset(cmd.Context(), local(report), q)
				if err != nil {
					return nil, err
				}
				return r, nil
			})
		},
	}
	f := c.Flags()
	f.BoolVar(&keep, "keep-packages", false, "keep the installed packages")
	f.BoolVar(&yes, "yes", false, "do not ask for confirmation")
	f.BoolVar(&plan, "plan", false, "show what would be undone, without changing it")
	cli.Without(c, "archive", "key", "require-signature")
	cli.Resumes(c, "continue where it stopped")
	return c
}

// confirmReset returns nil if the reset is confirmed: by --yes, or on a master by
// typing the node's name. ask is nil without a terminal.
func confirmReset(ctx context.Context, p *install.ResetPlan, yes bool, ask cli.Asker) error {
	const help = "./install reset --plan shows what it would undo; ./install reset --yes does it"
	switch {
	case yes || p.Empty:
		return nil
	case ask == nil || !p.Controls() || p.Node == "":
		return hint.With(cli.Usagef("reset undoes the whole installation of this host and requires --yes: nothing was changed"), help)
	}
	typed, err := ask(ctx, fmt.Sprintf("this removes %s.\ntype the name of the node, %s, to continue: ", strings.Join(p.Losing, "; "), p.Node))
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != p.Node {
		return hint.With(cli.Usagef("the name does not match the node, %s: nothing was changed", p.Node), help)
	}
	return nil
}
