package report

import (
	"strings"

	"kubecrate/pkg/nevra"
)

// Short is the start of a digest that is long enough to tell two apart.
func Short(digest string) string {
	const enough = 12
	hex := strings.TrimPrefix(digest, "sha256:")
	if len(hex) > enough {
		return hex[:enough]
	}
	return hex
}

// archSuffix tells packages apart that are there for two architectures; noarch
// and the common case stay short.
func archSuffix(n nevra.NEVRA) string {
	if n.Arch == "noarch" || n.Arch == "x86_64" || n.Arch == "aarch64" {
		return ""
	}
	return "." + n.Arch
}
