package main

import (
	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
)

func (a *app) versionCmd(root *cobra.Command) *cobra.Command { return cli.VersionCmd(root, &a.out) }
