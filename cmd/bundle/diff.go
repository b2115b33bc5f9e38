package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/report"
)

func (a *app) diffCmd() *cobra.Command {
	var code bool
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Show the differences between two archives or locks",
		Long: `Show the differences between two archives or locks. The exit code is 0 whether or
not they differ; with --exit-code it is 1 if they do.`,
		Example:           "  bundle diff old.tar.zst new.tar.zst\n  bundle diff old.lock new.lock --exit-code",
		Args:              cobra.ExactArgs(2),                              //nolint:mnd // two things are compared
		ValidArgsFunction: completeFiles(2, append(archives(), "lock")...), //nolint:mnd // as above
		RunE: func(_ *cobra.Command, args []string) error {
			before, err := readLock(args[0])
			if err != nil {
				return err
			}
			after, err := readLock(args[1])
			if err != nil {
				return err
			}
			changes := report.Diff(before, after)
			err = a.out.Print(changes, func(w io.Writer) error { return report.WriteDiff(w, changes) })
			if err == nil && code && len(changes) > 0 {
				err = fmt.Errorf("%s and %s differ in %s", args[0], args[1], count(len(changes), "place"))
			}
			return err
		},
	}
	c.Flags().BoolVar(&code, "exit-code", false, "exit with 1 if there are differences")
	return c
}
