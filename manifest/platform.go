package manifest

import "strings"

// family is an OS family that a bundle can be made for.
type family struct {
	name       string
	releasever string // of yum and dnf
	manager    string // that installs there
}

// families lists what platform.family may be.
func families() []family {
	return []family{
		{"el7", "7", "yum"},
		{"el8", "8", "dnf"},
		{"el9", "9", "dnf"},
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

func archs() []string    { return []string{"amd64", "arm64"} }
func runtimes() []string { return []string{RuntimeDocker, RuntimeContainerd} }
func networks() []string { return []string{NetworkFlannel, NetworkCalico, NetworkCanal} }

func familyNames() []string {
	var names []string
	for _, f := range families() {
		names = append(names, f.name)
	}
	return names
}

// Vocabulary lists the words that a key of a manifest may hold, by the key's
// path: "platform.family", "platform.arch", "runtime", "network".
func Vocabulary() map[string][]string {
	return map[string][]string{
		"platform.family": familyNames(),
		"platform.arch":   archs(),
		"runtime":         runtimes(),
		"network":         networks(),
	}
}

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

// Expand replaces yum's variables in a URL by what they are on the target:
// $basearch, $arch and $releasever, also written ${basearch}.
func (p Platform) Expand(url string) string {
	arch, release := p.RPMArch(), p.ReleaseVer()
	return strings.NewReplacer(
		"${basearch}", arch, "${arch}", arch, "${releasever}", release,
		"$basearch", arch, "$arch", arch, "$releasever", release,
	).Replace(url)
}

// RolesOf gives the roles that need an image, by its name: the control plane's
// images only masters, every other all of them (nil).
func RolesOf(image string) []Role {
	repository, _ := splitImage(image)
	base := repository[strings.LastIndexByte(repository, '/')+1:]
	for _, arch := range archs() {
		base = strings.TrimSuffix(base, "-"+arch)
	}
	switch base {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd":
		return []Role{Master}
	}
	return nil
}
