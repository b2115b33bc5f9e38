package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
)

func (a *app) signCmd() *cobra.Command {
	var k keyFlags
	c := &cobra.Command{
		Use:   "sign ARCHIVE",
		Short: "Sign an archive, after reading every byte of it",
		Long: `Sign the index of an archive, which the installer checks, and every file of it for
stock minisign and openssl; the installer beside it too, where it is the one in
the archive. An archive that is damaged is not signed.`,
		Example:           "  bundle sign /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst --key kubecrate.key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.key == "" {
				return cli.Usagef("--key is missing: the secret key, NAME.key")
			}
			key, err := k.read(cmd.Context())
			if err != nil {
				return err
			}
			var s *bundle.Signed
			err = a.show(func(report progress.Func) (err error) {
				s, err = bundle.Sign(cmd.Context(), args[0], key, report)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(s, s.WriteText)
		},
	}
	k.flags(c, "key", "secret key, as bundle keygen or minisign made it")
	return c
}
