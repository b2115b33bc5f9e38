package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

func (a *app) verifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "Read the whole archive, report damage and show who signed it",
		Example: "  ./install verify\n  ./install verify --key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := a.path()
			if err != nil {
				return err
			}
			check := func(index []byte) (*trust.Trusted, error) {
				return trust.Check(host.Local(), path, index, a.media.Trust)
			}
			var v *verify.Verified
			err = a.show(func(f progress.Func) (err error) {
				v, err = verify.Archive(cmd.Context(), path, verify.Options{Trust: check}, f)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(v, v.WriteText)
		},
	}
}
