package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/verify"
	"kubecrate/pkg/version"
)

// app is what the verbs share.
type app struct {
	out     cli.Out
	archive string
}

func newApp(stdout, stderr io.Writer) *app {
	return &app{out: cli.Out{Stdout: stdout, Stderr: stderr}}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "install",
		Short: "Bring up Kubernetes from the archive beside this program",
		Long: `Bring up Kubernetes on an isolated host from the archive that stands beside
this program. So far it verifies, inspects and plans: nothing is changed.`,
		Example: `  ./install verify
  ./install plan --role master
  ./install plan --role node --archive /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst`,
		Version: version.String(),
	}
	a.out.Flags(root)
	root.PersistentFlags().StringVar(&a.archive, "archive", "", "archive to use (default the one beside this program or in this directory)")
	root.AddCommand(a.verifyCmd(), a.inspectCmd(), a.planCmd(), cli.ManCmd(root))
	return root
}

// open opens the archive that --archive names, or the one that is found.
func (a *app) open(use func(*archive.Reader) error) (err error) {
	path, err := a.path()
	if err != nil {
		return err
	}
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return use(r)
}

func (a *app) path() (string, error) {
	if a.archive != "" {
		return a.archive, nil
	}
	return install.FindArchive()
}

func (a *app) verifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "Read every byte of the archive and name what is damaged",
		Example: "  ./install verify",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := a.path()
			if err != nil {
				return err
			}
			r := a.out.Progress()
			v, err := verify.Archive(cmd.Context(), path, progress.Func(r.Event))
			r.Close()
			if err != nil {
				return err
			}
			return a.out.Print(v, v.WriteText)
		},
	}
}

func (a *app) inspectCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect",
		Short:   "Say what the archive holds",
		Example: "  ./install inspect --output json",
		RunE: func(*cobra.Command, []string) error {
			return a.open(func(r *archive.Reader) error {
				contents, err := report.Inspect(r)
				if err != nil {
					return err
				}
				return a.out.Print(contents, contents.WriteText)
			})
		},
	}
}

func (a *app) planCmd() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:     "plan",
		Short:   "Say what an installation would do; nothing is changed",
		Example: "  ./install plan --role master\n  ./install plan --role node --output json",
		RunE: func(*cobra.Command, []string) error {
			switch manifest.Role(role) {
			case manifest.Master, manifest.Node, manifest.Single:
			case "":
				return cli.Usagef("--role is missing, want master, node or single")
			default:
				return cli.Usagef("--role is %q, want master, node or single", role)
			}
			return a.open(func(r *archive.Reader) error {
				p, err := install.MakePlan(r, manifest.Role(role))
				if err != nil {
					return err
				}
				return a.out.Print(p, p.WriteText)
			})
		},
	}
	c.Flags().StringVar(&role, "role", "", "what this host becomes: master, node or single")
	return c
}
