// Bundle runs on a connected machine and packs everything a Kubernetes cluster
// needs on hosts without Internet access into one archive.
package main

import (
	"os"

	"kubecrate/pkg/cli"
)

func main() {
	a := newApp(os.Stdout, os.Stderr)
	os.Exit(cli.Run(a.root(), &a.out, os.Args[1:]))
}
