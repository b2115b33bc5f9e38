// Install brings up a Kubernetes cluster on isolated hosts, from the archive beside
// it on the stick.
package main

import (
	"os"
	"syscall"

	"kubecrate/pkg/cli"
)

func main() {
	// Directories, and files created by child processes, must get the same modes on
	// every host: a hardened umask would make files unreadable for services that
	// need them. Secrets are created with an explicit mode.
	const umask = 0o022
	syscall.Umask(umask)
	a := newApp(os.Stdout, os.Stderr)
	os.Exit(cli.Run(a.root(), &a.out, os.Args[1:]))
}
