// Install brings a Kubernetes cluster up on hosts that never see a network,
// from the archive that stands beside it on the stick.
package main

import (
	"os"

	"kubecrate/pkg/cli"
)

func main() {
	a := newApp(os.Stdout, os.Stderr)
	os.Exit(cli.Run(a.root(), &a.out, os.Args[1:]))
}
