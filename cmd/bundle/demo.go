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
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
)

// demoArch is the architecture of everything that the demo's mirror serves.
const demoArch = "amd64"

func (a *app) demoCmd() *cobra.Command {
	var o demo.Options
	var level string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Go the whole way on an embedded mirror: no network, no root",
		Long: `Serve a registry and yum repositories with made-up contents under the real names
on a loopback address, build the default-shaped bundle from them, verify and
unpack it, and let the installer print its plans for a master and a node.`,
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
					return fmt.Errorf("cannot make a directory for the demo: %w", err)
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
				return lines.Print(w, "\neverything is in %s; remove it when you have seen enough", o.Dir)
			})
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Dir, "out", "o", "", "directory to work in (default a new one for temporary files)")
	f.StringVar(&level, "level", archive.Default.String(), "how hard to compress: fast, default, better or best")
	completeLevel(c)
	f.StringVar(&o.Installer, "installer", "", "installer to put beside the archive (default install-linux-amd64 or install beside this program)")
	return c
}
