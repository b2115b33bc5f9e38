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
		Short: "Verify an archive and sign it",
		Long: `Sign the index of an archive, for the installer, and every file of the archive, for
stock minisign and openssl; also the installer next to it, if it is the one in the
archive. Every byte is verified first: a damaged archive is not signed.`,
		Example:           "  bundle sign /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst --key kubecrate.key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.key == "" {
				return cli.Usagef("--key is missing: want the secret key, NAME.key")
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
	k.flags(c, "key", "secret key, from bundle keygen or minisign")
	return c
}
