package main

import (
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/extract"
	"kubecrate/pkg/lines"
)

func (a *app) extractCmd() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "extract MEMBER...",
		Short: "Write members of the archive to a directory",
		Long: `Write members of the archive below a directory, under their own paths. What is
read is compared with the index; a file that is there is never overwritten. A name
that ends with a slash takes all that is below it. An installation applies the
network's manifest only: other files are for you to apply.`,
		Example: `  ./install extract manifests/extra.yaml -o /root && kubectl apply --filename=/root/manifests/extra.yaml
  ./install extract files/ sbom.spdx.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var written []string
			err := a.open(func(r *archive.Reader) (err error) {
				written, err = extract.Members(r, args, dir)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(map[string][]string{"files": written}, func(w io.Writer) error {
				p := lines.New(w)
				for _, f := range written {
					p.Line("wrote %s", f)
				}
				return p.Flush()
			})
		},
	}
	c.Flags().StringVarP(&dir, "out", "o", ".", "directory to write below, made if missing")
	return c
}
