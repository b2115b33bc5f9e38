// Package nevratest writes packages for tests.
package nevratest

import "kubecrate/pkg/nevra"

// Parse is nevra.Parse for a literal. It panics where that is no NEVRA.
func Parse(s string) nevra.NEVRA {
	n, err := nevra.Parse(s)
	if err != nil {
		panic(err)
	}
	return n
}
