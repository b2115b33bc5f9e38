package image

import (
	"regexp"
	"strings"
)

// enterpriseLinux finds the release that an image is built on in the labels that
// Red Hat's base images hand down: "ubi9-minimal-container", "ubi10/ubi", "el9".
var enterpriseLinux = regexp.MustCompile(`^(?:ubi|rhel|el)-?([0-9]+)(?:[^0-9].*)?$`)

// CPU is the level of x86-64 processors that an image is known to need, as the
// psABI names them ("x86-64-v2"), "" where nothing says that it needs one. The
// variant of amd64 says so, and the C library of Enterprise Linux 9 is built for
// v2 and that of 10 for v3: on a lesser processor no program of theirs starts.
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
