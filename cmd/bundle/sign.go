package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// keyFlags name a secret key and where its passphrase is.
type keyFlags struct{ key, passphrase string }

func (k *keyFlags) flags(c *cobra.Command, key, usage string) {
	c.Flags().StringVar(&k.key, key, "", usage)
	passphraseFlag(c, &k.passphrase)
}

func passphraseFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "passphrase-file", "", "file whose first line is the key's passphrase (default: it is asked for)")
}

// read reads the secret key, nil where none is named.
func (k *keyFlags) read(ctx context.Context) (*trust.SecretKey, error) {
	if k.key == "" {
		return nil, nil
	}
	return trust.ReadSecretKey(k.key, func() (string, error) {
		return cli.Passphrase(ctx, k.passphrase, "passphrase of "+k.key, false)
	})
}

// madeKey is what keygen prints.
type madeKey struct {
	Files       []string `json:"files"`
	Key         string   `json:"key"`
	Fingerprint string   `json:"fingerprint"`
}

// WriteText prints m and what to do with it.
func (m *madeKey) WriteText(w io.Writer) error {
	p := lines.New(w)
	p.Line("%s\tsecret: keep it here, never on the stick", m.Files[0])
	p.Line("%s\tpublic, for minisign and for install", m.Files[1])
	p.Line("%s\tpublic, for openssl", m.Files[2])
	p.Line("")
	p.Line("public key\t%s", m.Key)
	p.Line("fingerprint\t%s", m.Fingerprint)
	p.Line("")
	p.Line("next: write the fingerprint down, the first host of a cluster shows it; then bundle build --sign %s", m.Files[0])
	return p.Flush()
}

func (a *app) keygenCmd() *cobra.Command {
	var name, file string
	var open bool
	c := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key to sign archives with",
		Long: `Write NAME.key, which is secret and encrypted with a passphrase, and its public
halves: NAME.pub for minisign and the installer, NAME.pem for openssl. A file
that is there is never overwritten.`,
		Example: `  bundle keygen                            # kubecrate.key, kubecrate.pub, kubecrate.pem
  bundle keygen -o ~/keys/site1
  bundle keygen -o ci --no-passphrase      # whoever reads ci.key can sign`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			word := ""
			switch {
			case open && file != "":
				return cli.Usagef("--no-passphrase and --passphrase-file exclude each other")
			case !open:
				if word, err = cli.Passphrase(cmd.Context(), file, "passphrase for "+name+".key", true); err != nil {
					return err
				}
			}
			k, err := trust.GenerateKey()
			if err != nil {
				return err
			}
			files, err := k.WriteFiles(name, word)
			if err != nil {
				return err
			}
			m := &madeKey{Files: files, Key: k.Public().String(), Fingerprint: k.Public().Fingerprint()}
			return a.out.Print(m, m.WriteText)
		},
	}
	f := c.Flags()
	f.StringVarP(&name, "out", "o", "kubecrate", "what the files are called, without the ending")
	f.BoolVar(&open, "no-passphrase", false, "leave the secret key in the clear")
	passphraseFlag(c, &file)
	return c
}

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
