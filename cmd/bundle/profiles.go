package main

import (
	"io"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/table"
)

func (a *app) profilesCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "profiles [NAME]",
		Short:   "List the embedded profiles or print one",
		Example: "  bundle profiles\n  bundle profiles kubernetes-1.17.4-el7",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := manifest.ProfileText(args[0])
				if err != nil {
					return err
				}
				m, err := manifest.Load(args[0])
				if err != nil {
					return err
				}
				return a.out.Print(m, func(w io.Writer) error {
					_, err := w.Write(text)
					return err
				})
			}
			list := manifest.Profiles()
			return a.out.Print(list, func(w io.Writer) error {
				t := table.New(w)
				for _, p := range list {
					t.Line("%s\t%s", p.Name, p.Description)
				}
				return t.Flush()
			})
		},
		ValidArgsFunction: completeOne(profileNames),
	}
}
