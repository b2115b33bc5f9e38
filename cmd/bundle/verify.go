package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/bundle"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

func (a *app) verifyCmd() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "verify ARCHIVE",
		Short: "Verify an archive and list what is damaged",
		Long: `Read every byte of an archive, or of its volumes, and compare it with the index, the
.sha256 and the signatures next to it. With --key, require a signature by that key.`,
		Example: `  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst
  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst.001 --key kubecrate.pub`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			check := func(index []byte) (*trust.Trusted, error) {
				return trust.Check(nil, args[0], index, trust.Options{Key: key})
			}
			var v *verify.Verified
			err := a.show(func(report progress.Func) (err error) {
				v, err = verify.Archive(cmd.Context(), args[0], verify.Options{Trust: check, Files: true, Package: bundle.PackageFile}, report)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(v, v.WriteText)
		},
	}
	c.Flags().StringVar(&key, "key", "", "public key, or its file: require a signature by it")
	return c
}
