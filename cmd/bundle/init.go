package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/table"
)

func (a *app) initCmd() *cobra.Command {
	var file, profile string
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a manifest to start from",
		Example: `  bundle init                         # bundle.yaml, extending the default profile
  bundle init -o my.yaml --profile kubernetes-1.17.4-el7`,
		RunE: func(*cobra.Command, []string) error {
			text, err := manifest.Init(profile)
			if err != nil {
				return err
			}
			if file == "-" {
				_, err := a.out.Stdout.Write(text)
				return err
			}
			if err := writeNew(file, text); err != nil {
				return err
			}
			return a.out.Print(map[string]string{"manifest": file}, func(w io.Writer) error {
				return table.Print(w, "wrote %s; edit it, then: %s", file, hint.Command("bundle", "build", file))
			})
		},
	}
	c.Flags().StringVarP(&file, "out", "o", "bundle.yaml", "output file, - for standard output")
	c.Flags().StringVar(&profile, "profile", manifest.DefaultProfile, "profile to extend, see bundle profiles")
	completeProfileFlag(c)
	return c
}

// writeNew writes a file that must not exist yet.
func writeNew(file string, text []byte) error {
	const mode = 0o644
	err := atomicfile.WriteNew(file, text, mode)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot write the manifest: %w", err)
	if errors.Is(err, fs.ErrExist) {
		return hint.With(err, "choose another name: bundle init -o FILE; or build the existing one: %s", hint.Command("bundle", "build", file))
	}
	return err
}
