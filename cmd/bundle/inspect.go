package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/report"
	"kubecrate/pkg/report/html"
)

func (a *app) inspectCmd() *cobra.Command {
	var page string
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect ARCHIVE",
		Short: "Show what an archive contains and where it came from",
		Example: `  bundle inspect kubernetes-1.17.4-el7-amd64.tar.zst
  bundle inspect kubernetes-1.17.4-el7-amd64.tar.zst --html report.html`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			r, closer, err := archive.OpenPath(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closer.Close()) }()
			contents, err := report.Inspect(r)
			if err != nil {
				return err
			}
			if page != "" {
				return writeHTML(a.out.Stdout, contents, page)
			}
			if asJSON {
				a.out.WantJSON()
			}
			return a.out.Print(contents, contents.WriteText)
		},
	}
	c.Flags().StringVar(&page, "html", "", "write an HTML report to this file, - for standard output")
	c.Flags().BoolVar(&asJSON, "json", false, "the same as --output json")
	return c
}

func writeHTML(stdout io.Writer, contents *report.Contents, file string) error {
	if file == "-" {
		return html.Write(stdout, contents)
	}
	return html.WriteFile(file, contents)
}
