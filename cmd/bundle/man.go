package main

import (
	"kubecrate/pkg/cli"

	"github.com/spf13/cobra"
)

// manCmd writes the man page, which says this beside the commands.
func (a *app) manCmd(root *cobra.Command) *cobra.Command {
	return cli.ManCmd(root, &a.out, cli.Manual{
		ExitStatus: [][2]string{
			{"0", "done"}, {"1", "failed; the message names the cause, and the hint what fixes it"}, {"2", "wrong usage"},
			{"4", "the archive is damaged or not trusted"}, {"5", "interrupted"},
		},
		Files: [][2]string{
			{"bundle.yaml", "the manifest that is taken where none is named"},
			{"*.lock", "beside each manifest: what it means, by digest"},
			{"~/.cache/kubecrate", "what was fetched and compressed"},
		},
		Environment: [][2]string{
			{"XDG_CACHE_HOME", "where the cache is, in place of ~/.cache"},
			{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the proxy of downloads"},
			{"TERM", "dumb: progress is printed in lines, without bars"},
		},
	})
}
