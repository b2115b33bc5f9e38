package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/report"
)

func (a *app) whyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "why ARCHIVE|LOCK NAME",
		Short: "Explain why a package, an image or a file is included",
		Example: `  bundle why kubernetes-1.17.4-el7.lock socat
  bundle why kubernetes-1.17.4-el7-amd64.tar.zst quay.io/coreos/flannel`,
		Args:              cobra.ExactArgs(2), //nolint:mnd // where to look and for what
		ValidArgsFunction: completeFiles(1, append(archives(), "lock")...),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := readLock(args[0])
			if err != nil {
				return err
			}
			why, err := report.Explain(l, args[1])
			if err != nil {
				list := hint.Command("bundle", "inspect", args[0])
				if report.IsLock(args[0]) {
					list = hint.Command("less", args[0])
				}
				return hint.With(err, "%s lists the contents", list)
			}
			return a.out.Print(why, why.WriteText)
		},
	}
}
