package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/demo"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
)

// demoArch is the architecture of everything the demo's mirror serves.
const demoArch = "amd64"

func (a *app) demoCmd() *cobra.Command {
	var o demo.Options
	var level string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Build and unpack a bundle from an embedded mirror: no network, no root",
		Long: `Serve a registry and yum repositories with generated content under the real names
on a loopback address, build a bundle shaped like the default one from them,
verify and unpack it, and print the installer's plans for a master and a node.`,
		Example: "  bundle demo\n  bundle demo -o /tmp/demo --level best",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Level, err = archive.ParseLevel(level); err != nil {
				return &cli.UsageError{Err: err}
			}
			if o.Installer, err = bundle.FindInstaller(o.Installer, demoArch); err != nil {
				return err
			}
			temporary := o.Dir == ""
			if temporary {
				if o.Dir, err = os.MkdirTemp("", "kubecrate-demo-"); err != nil {
					return fmt.Errorf("cannot create a directory for the demo: %w", err)
				}
			}
			o.Out = a.out.Stdout
			if a.out.JSON() {
				o.Out = io.Discard
			}
			var res *bundle.Result
			err = a.show(func(report progress.Func) (err error) {
				o.Report = report
				res, err = demo.Run(cmd.Context(), o)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(res, func(w io.Writer) error {
				return table.Print(w, "\nthe files are in %s; remove it when you are done", o.Dir)
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Dir, "out", "o", "", "working directory (default: a new temporary directory)")
	f.StringVar(&level, "level", archive.Default.String(), "compression level: fast, default, better or best")
	completeLevel(c)
	f.StringVar(&o.Installer, "installer", "", "installer to write next to the archive (default install-linux-amd64 or install next to this program)")
	return c
}
