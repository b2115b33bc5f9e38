// Bundle packs, on a connected machine, everything a Kubernetes cluster needs
// on hosts that never see a network into one archive.
package main

import (
	"os"

	"kubecrate/pkg/cli"
)

func main() {
	a := newApp(os.Stdout, os.Stderr)
	os.Exit(cli.Run(a.root(), &a.out, os.Args[1:]))
}
