package manifest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// family is an OS family that a bundle can be made for.
type family struct {
	name       string
	releasever string // of the URLs of its repositories
}

// families lists what platform.family may be.
func families() []family {
	return []family{
		{"el7", "7"},
		{"el8", "8"},
		{"el9", "9"},
	}
}

// The words a manifest may use.
const (
	RuntimeDocker     = "docker"
	RuntimeContainerd = "containerd"

	NetworkFlannel = "flannel"
	NetworkCalico  = "calico"
	NetworkCanal   = "canal"

	// NoBaseline is the value of packages.baseline for a target with nothing installed.
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

// Vocabulary lists the words that a key of a manifest may hold, by the key's
// path: "platform.family", "platform.arch", "runtime", "network".
func (w Words) Vocabulary() map[string][]string {
	return map[string][]string{
		"platform.family": w.families(),
		"platform.arch":   archs(),
		"runtime":         w.runtimes(),
		"network":         w.networks(),
	}
}

// Vocabulary is that of Words of this version.
func Vocabulary() map[string][]string { return Words{}.Vocabulary() }

// ReleaseVer is yum's $releasever of the target ("7"), "" for a family that is
// not known.
func (p Platform) ReleaseVer() string {
	for _, f := range families() {
		if f.name == p.Family {
			return f.releasever
		}
	}
	return ""
}

// variableForm finds yum's variables, $NAME and ${NAME}. A name reaches as far
// as its letters, digits and underscores do: $basearchx is not $basearch.
var variableForm = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([^}]*)\})`)

// variables are what yum and dnf know by themselves, as they are on the target.
func (p Platform) variables() map[string]string {
	return map[string]string{"arch": p.RPMArch(), "basearch": p.RPMArch(), "releasever": p.ReleaseVer()}
}

// Expand replaces yum's variables in a URL by what they are on the target:
// $basearch, $arch and $releasever, also written ${basearch}. Others stay as
// they are; Validate refuses them.
func (p Platform) Expand(url string) string {
	known := p.variables()
	return variableForm.ReplaceAllStringFunc(url, func(v string) string {
		if value, ok := known[strings.Trim(v, "${}")]; ok {
			return value
		}
		return v
	})
}

// checkVariables says which variables of a URL nobody knows: those that a host
// keeps in /etc/yum/vars or /etc/dnf/vars are that host's.
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

// usedVariable is the first of yum's variables that s uses, "" where there is
// none.
func usedVariable(s string) string {
	known := Platform{}.variables()
	for _, v := range variableForm.FindAllString(s, -1) {
		if _, ok := known[strings.Trim(v, "${}")]; ok {
			return v
		}
	}
	return ""
}
