package main

import (
	"kubecrate/pkg/cli"

	"github.com/spf13/cobra"
)

// manCmd writes the man page, with these sections after the commands.
func (a *app) manCmd(root *cobra.Command) *cobra.Command {
	return cli.ManCmd(root, &a.out, cli.Manual{
		ExitStatus: [][2]string{
			{"0", "done"}, {"1", "failed; the message names the cause, the hint how to fix it"}, {"2", "wrong usage"},
			{"4", "the archive is damaged or not trusted"}, {"5", "interrupted"},
		},
		Files: [][2]string{
			{"bundle.yaml", "the default manifest"},
			{"*.lock", "next to each manifest: its contents, pinned by digest"},
			{"~/.cache/kubecrate", "downloads and compressed data"},
		},
		Environment: [][2]string{
			{"XDG_CACHE_HOME", "location of the cache, instead of ~/.cache"},
			{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the proxy for downloads"},
			{"TERM", "dumb: print progress in lines, without bars"},
		},
	})
}
