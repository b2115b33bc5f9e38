package main

import (
	"github.com/spf13/cobra"

	"kubecrate/manifest/schema"
)

func (a *app) schemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of manifests for editors",
		Example: "  bundle schema > bundle.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Stdout.Write(schema.Schema())
			return err
		},
	}
}
