package main

import (
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
)

func (a *app) ticketCmd() *cobra.Command {
	var o install.TicketOptions
	c := &cobra.Command{
		Use:   "ticket",
		Short: "On a master: write a new ticket for hosts that join",
		Long: `Make a new token and write the ticket, join.yaml, beside the archive and to
/var/lib/kubecrate on this host. Whoever holds it can join the cluster until it
expires. --revoke ends every ticket in the cluster itself, from any master, and
says what it ended; it fails where the cluster cannot be asked, or holds none.`,
		Example: `  ./install ticket
  ./install ticket --ttl 2h --ticket /mnt/usb/join.yaml
  ./install ticket --control-plane     # the next master may join with it
  ./install ticket --show              # the flags to type where the stick cannot be written
  ./install ticket --revoke            # nobody can join any more`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Show && o.Revoke {
				return cli.Usagef("--show and --revoke exclude each other")
			}
			return a.print(func(report progress.Func) (result, error) {
				s := a.settings
				s.Report, s.Archive = report, a.stick(report) // the ticket also goes to this host
				t, err := install.Ticket(cmd.Context(), local(report), s, o)
				if t == nil {
					return nil, err
				}
				return t, err
			})
		},
	}
	a.ticketFlag(c)
	f := c.Flags()
	periodVar(f, &o.TTL, "ttl", ticketTTL, "how long it is good for")
	f.BoolVar(&o.ControlPlane, "control-plane", false, "let the host that has it join as a master (the key for that is good for two hours)")
	f.BoolVar(&o.Show, "show", false, "print the flags that do the same as the ticket; they hold the token")
	f.BoolVar(&o.Revoke, "revoke", false, "end every ticket of the cluster: the tokens in it, whichever master made them, and the copies here and on the stick")
	return c
}

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

func (a *app) smokeCmd() *cobra.Command {
	// Not the settings' own: a flag sets its default where it is made, whatever the verb.
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
				s := a.settings
				s.Wait, s.Report = wait, report
				r, err := install.Smoke(cmd.Context(), local(report), s)
				if r == nil {
					return nil, err
				}
				return r, err
			})
		},
	}
	periodVar(c.Flags(), &wait, "wait", waitFor, "how long to wait for what is still starting")
	return c
}

func (a *app) inventoryCmd() *cobra.Command {
	var baseline bool
	c := &cobra.Command{
		Use:   "inventory",
		Short: "Say what this host is: system, addresses, disks, packages",
		Long: `Print what this host is. With --baseline only the list of its packages, in the form
that packages.baseline of a bundle's manifest and bundle lock --baseline take: the
closure is then solved against this very host. An installation leaves the same on
the stick, as hosts/NAME.json; --output json prints such a sheet, unsigned.`,
		Example: "  ./install inventory\n  ./install inventory --baseline >/mnt/usb/host1.baseline",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := install.Inventory(cmd.Context(), host.Local())
			if err != nil {
				return err
			}
			if baseline {
				return f.Baseline(a.out.Stdout)
			}
			return a.out.Print(f, f.WriteText)
		},
	}
	c.Flags().BoolVar(&baseline, "baseline", false, "print only the packages, one a line")
	return c
}
