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
		Short: "Take the installation back: this host as it was before",
		Long: `Undo every step of the installation in reverse: leave the cluster, remove what
was loaded and installed, and restore every file and service that was changed.
What somebody else changed since is kept beside, and named. The stick is not
needed. Running it again goes on where something failed.

A master's part of the cluster, its data among it, is gone after that: on a
terminal the name of the node has to be typed. Everywhere else --yes is needed.`,
		Example: "  ./install reset --plan     # what would be undone; nothing is touched\n  ./install reset\n  ./install reset --yes --keep-packages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h := host.Local()
			p, err := install.PlanReset(h, keep)
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
	f.BoolVar(&keep, "keep-packages", false, "leave the installed packages where they are")
	f.BoolVar(&yes, "yes", false, "do it without asking")
	f.BoolVar(&plan, "plan", false, "say what would be undone, and change nothing")
	cli.Without(c, "archive", "key", "require-signature")
	cli.Resumes(c, "continue where it stopped")
	return c
}

// confirmReset lets a reset pass that is wanted: by --yes, or on a master by the
// node's name as a person types it. ask is nil where nobody can be asked.
func confirmReset(ctx context.Context, p *install.ResetPlan, yes bool, ask cli.Asker) error {
	const help = "./install reset --plan shows what it would undo; ./install reset --yes does it"
	switch {
	case yes || p.Empty:
		return nil
	case ask == nil || !p.Controls() || p.Node == "":
		return hint.With(cli.Usagef("reset undoes the whole installation of this host, and --yes is missing: nothing was changed"), help)
	}
	typed, err := ask(ctx, fmt.Sprintf("this removes %s.\ntype the name of the node, %s, to go on: ", strings.Join(p.Losing, "; "), p.Node))
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != p.Node {
		return hint.With(cli.Usagef("that is not the name of the node, %s: nothing was changed", p.Node), help)
	}
	return nil
}
