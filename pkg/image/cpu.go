package image

import (
	"regexp"
	"strings"
)

// enterpriseLinux finds the release of an image's base in the labels inherited from
// Red Hat's base images: "ubi9-minimal-container", "ubi10/ubi", "el9".
var enterpriseLinux = regexp.MustCompile(`^(?:ubi|rhel|el)-?([0-9]+)(?:[^0-9].*)?$`)

// CPU is the x86-64 microarchitecture level that an image is known to need, as the
// psABI names it ("x86-64-v2"), "" if unknown. It follows from the variant of amd64,
// and from the base: the C library of Enterprise Linux 9 needs v2 and that of 10
// needs v3, so on a lower level their programs do not start.
func (c *Config) CPU() string {
	if c.Architecture != "amd64" {
		return ""
	}
	const level = "x86-64-"
	switch c.Variant {
	case "v2", "v3", "v4":
		return level + c.Variant
	}
	for _, label := range []string{"com.redhat.component", "name"} {
		m := enterpriseLinux.FindStringSubmatch(strings.ToLower(c.Settings.Labels[label]))
		if m == nil {
			continue
		}
		switch m[1] {
		case "9":
			return level + "v2"
		case "10":
			return level + "v3"
		}
	}
	return ""
}
