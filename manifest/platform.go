package manifest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// family is a supported OS family.
type family struct {
	name       string
	releasever string // of the URLs of its repositories
}

// families lists the values of platform.family.
func families() []family {
	return []family{
		{"el7", "7"},
		{"el8", "8"},
		{"el9", "9"},
	}
}

// The words that a manifest may use.
const (
	RuntimeDocker     = "docker"
	RuntimeContainerd = "containerd"

	NetworkFlannel = "flannel"
	NetworkCalico  = "calico"
	NetworkCanal   = "canal"

	// NoBaseline is the value of packages.baseline for a target without packages.
	NoBaseline = "none"
)

func archs() []string { return []string{"amd64", "arm64"} }

// Words are the names of families, runtimes and networks that a manifest may use. A
// list that is nil is that of this version.
type Words struct{ Families, Runtimes, Networks []string }

func (w Words) families() []string {
	if w.Families != nil {
		return w.Families
	}
	var names []string
	for _, f := range families() {
		names = append(names, f.name)
	}
	return names
}

func (w Words) runtimes() []string {
	if w.Runtimes != nil {
		return w.Runtimes
	}
	return []string{RuntimeDocker, RuntimeContainerd}
}

func (w Words) networks() []string {
	if w.Networks != nil {
		return w.Networks
	}
	return []string{NetworkFlannel, NetworkCalico, NetworkCanal}
}

// Vocabulary lists the valid words of a key of a manifest, by the key's path:
// "platform.family", "platform.arch", "runtime", "network".
func (w Words) Vocabulary() map[string][]string {
	return map[string][]string{
		"platform.family": w.families(),
		"platform.arch":   archs(),
		"runtime":         w.runtimes(),
		"network":         w.networks(),
	}
}

// Vocabulary is the Vocabulary of the zero Words.
func Vocabulary() map[string][]string { return Words{}.Vocabulary() }

// ReleaseVer is yum's $releasever of the target ("7"), "" for an unknown family.
func (p Platform) ReleaseVer() string {
	for _, f := range families() {
		if f.name == p.Family {
			return f.releasever
		}
	}
	return ""
}

// variableForm matches yum's variables, $NAME and ${NAME}. A name is the longest
// run of letters, digits and underscores: $basearchx is not $basearch.
var variableForm = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([^}]*)\})`)

// variables are the built-in variables of yum and dnf, with the target's values.
func (p Platform) variables() map[string]string {
	return map[string]string{"arch": p.RPMArch(), "basearch": p.RPMArch(), "releasever": p.ReleaseVer()}
}

// Expand replaces yum's variables in a URL by the target's values: $basearch, $arch
// and $releasever, also written ${basearch}. Others are kept; Validate refuses
// them.
func (p Platform) Expand(url string) string {
	known := p.variables()
	return variableForm.ReplaceAllStringFunc(url, func(v string) string {
		if value, ok := known[strings.Trim(v, "${}")]; ok {
			return value
		}
		return v
	})
}

// checkVariables reports unknown variables of a URL. Those in /etc/yum/vars or
// /etc/dnf/vars are a host's own.
func checkVariables(url string) error {
	known := Platform{}.variables()
	var unknown []string
	for _, v := range variableForm.FindAllString(url, -1) {
		if _, ok := known[strings.Trim(v, "${}")]; !ok && !slices.Contains(unknown, v) {
			unknown = append(unknown, v)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(known))
	return fmt.Errorf("unknown variable %s: write its value instead (known: $%s)", strings.Join(unknown, ", "), strings.Join(names, ", $"))
}

// usedVariable is the first of yum's variables that s uses, "" if it uses none.
func usedVariable(s string) string {
	known := Platform{}.variables()
	for _, v := range variableForm.FindAllString(s, -1) {
		if _, ok := known[strings.Trim(v, "${}")]; ok {
			return v
		}
	}
	return ""
}
