package main

import (
	"io"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/table"
	"kubecrate/pkg/trust"
)

// madeKey is what keygen prints.
type madeKey struct {
	Files       []string `json:"files"`
	Key         string   `json:"key"`
	Fingerprint string   `json:"fingerprint"`
}

// WriteText prints m and the next steps.
func (m *madeKey) WriteText(w io.Writer) error {
	p := table.New(w)
	p.Line("%s\tsecret: keep it here, never on the stick", m.Files[0])
	p.Line("%s\tpublic, for minisign and for install", m.Files[1])
	p.Line("%s\tpublic, for openssl", m.Files[2])
	p.Line("")
	p.Line("public key\t%s", m.Key)
	p.Line("fingerprint\t%s", m.Fingerprint)
	p.Line("")
	p.Line("next: write down the fingerprint, to compare it on the first host of a cluster; then: bundle build --sign %s", m.Files[0])
	return p.Flush()
}

func (a *app) keygenCmd() *cobra.Command {
	var name, file string
	var open bool
	c := &cobra.Command{
		Use:   "keygen",
		Short: "Create a key to sign archives with",
		Long: `Write NAME.key, the secret key, encrypted with a passphrase, and the public key:
NAME.pub for minisign and the installer, NAME.pem for openssl. Existing files are
never overwritten.`,
		Example: `  bundle keygen                            # kubecrate.key, kubecrate.pub, kubecrate.pem
  bundle keygen -o ~/keys/site1
  bundle keygen -o ci --no-passphrase      # anyone who can read ci.key can sign`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			word := ""
			switch {
			case open && file != "":
				return cli.Usagef("--no-passphrase and --passphrase-file cannot be used together")
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
	f.StringVarP(&name, "out", "o", "kubecrate", "name of the files, without extension")
	f.BoolVar(&open, "no-passphrase", false, "do not encrypt the secret key")
	passphraseFlag(c, &file)
	return c
}
