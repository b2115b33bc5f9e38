package main

import (
	"errors"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/verify"
)

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
			var v *verify.Verified
			err = a.show(func(f progress.Func) (err error) {
				v, err = verify.Archive(cmd.Context(), path, f)
				return err
			})
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
