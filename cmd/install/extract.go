package main

import (
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/extract"
	"kubecrate/pkg/table"
)

func (a *app) extractCmd() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "extract MEMBER...",
		Short: "Write members of the archive to a directory",
		Long: `Write members of the archive to a directory, under their own paths. Their hashes
are verified against the index; existing files are never overwritten. A name ending
in a slash selects everything below it. An installation applies only the network's
manifest: apply other manifests yourself.`,
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
				p := table.New(w)
				for _, f := range written {
					p.Line("wrote %s", f)
				}
				return p.Flush()
			})
		},
	}
	c.Flags().StringVarP(&dir, "out", "o", ".", "directory to write to, created if missing")
	return c
}
