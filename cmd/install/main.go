// Install brings a Kubernetes cluster up on hosts that never see a network,
// from the archive that stands beside it on the stick.
package main

import (
	"os"
	"syscall"

	"kubecrate/pkg/cli"
)

func main() {
	// Directories, and what programs make that are run, are to be what they are on
	// every host: a hardened umask would shut files off from whoever needs them.
	// What is secret has a mode of its own.
	const umask = 0o022
	syscall.Umask(umask)
	a := newApp(os.Stdout, os.Stderr)
	os.Exit(cli.Run(a.root(), &a.out, os.Args[1:]))
}
