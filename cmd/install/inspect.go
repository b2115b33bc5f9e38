package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/report"
)

func (a *app) inspectCmd() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect",
		Short:   "Show the contents of the archive",
		Example: "  ./install inspect --output json",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				a.out.WantJSON()
			}
			return a.open(func(r *archive.Reader) error {
				contents, err := report.Inspect(r)
				if err != nil {
					return err
				}
				return a.out.Print(contents, contents.WriteText)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "same as --output json")
	return c
}
