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
			{"3", "a preflight check failed, or a step is impossible; nothing was changed"},
			{"4", "the archive is damaged or not trusted"}, {"5", "interrupted"},
		},
		Files: [][2]string{
			{"*.tar.zst", "the archive, beside this program or in the current directory"},
			{"join.yaml", "the ticket of hosts that join, beside the archive; it is a secret"},
			{"cluster.yaml", "describes the cluster, beside the archive"},
			{"identity.age", "the sealed identity of a cluster, beside the archive"},
			{"hosts/", "what every host is, beside the archive"},
			{"/var/lib/kubecrate", "the journal, what was installed, and the key that this host trusts"},
			{"/run/kubecrate.lock", "keeps two runs apart"},
		},
		Environment: [][2]string{
			{"TERM", "dumb: progress is printed in lines, without bars"},
			{"SUDO_USER, SUDO_UID, SUDO_GID", "who gets a kubeconfig beside root"},
		},
	})
}
