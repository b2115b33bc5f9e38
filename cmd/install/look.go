package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

// open opens the archive that --archive names, or the one that is found.
func (a *app) open(use func(*archive.Reader) error) (err error) {
	s := a.settings
	if s.Archive, err = a.path(); err != nil {
		return err
	}
	var r *archive.Reader
	var closer io.Closer
	err = a.show(func(f progress.Func) (err error) {
		s.Report = f
		r, closer, _, err = install.OpenArchive(host.Local(), s)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return use(r)
}

func (a *app) verifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "Read every byte of the archive, name what is damaged and who signed it",
		Example: "  ./install verify\n  ./install verify --key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := a.settings
			var err error
			if s.Archive, err = a.path(); err != nil {
				return err
			}
			check := func(index []byte) (*trust.Trusted, error) {
				return trust.Check(host.Local(), s.Archive, index, s.Trust)
			}
			var v *verify.Verified
			err = a.show(func(f progress.Func) (err error) {
				v, err = verify.Archive(cmd.Context(), s.Archive, verify.Options{Trust: check}, f)
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
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect",
		Short:   "Say what the archive holds",
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
	c.Flags().BoolVar(&asJSON, "json", false, "the same as --output json")
	return c
}
