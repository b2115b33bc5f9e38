package main

import (
	"kubecrate/pkg/cli"

	"github.com/spf13/cobra"
)

// manCmd writes the man page, with these sections in addition to the commands.
func (a *app) manCmd(root *cobra.Command) *cobra.Command {
	return cli.ManCmd(root, &a.out, cli.Manual{
		ExitStatus: [][2]string{
			{"0", "done"}, {"1", "failed; the message names the cause, the hint the fix"}, {"2", "wrong usage"},
			{"3", "a preflight check failed, or a step is impossible; nothing was changed"},
			{"4", "the archive is damaged or not trusted"}, {"5", "interrupted"},
		},
		Files: [][2]string{
			{"*.tar.zst", "the archive, beside this program or in the current directory"},
			{"join.yaml", "the ticket for hosts that join, beside the archive; it is a secret"},
			{"cluster.yaml", "description of the cluster, beside the archive"},
			{"identity.age", "the sealed identity of a cluster, beside the archive"},
			{"hosts/", "the host reports, beside the archive"},
			{"/var/lib/kubecrate", "the journal, the install record, and the key that this host trusts"},
			{"/run/kubecrate.lock", "lock against concurrent runs"},
		},
		Environment: [][2]string{
			{"TERM", "dumb: progress is printed as lines, without bars"},
			{"SUDO_USER, SUDO_UID, SUDO_GID", "the user who gets a kubeconfig in addition to root"},
		},
	})
}
