package agree

import (
	"regexp"
	"slices"
	"strings"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/software"
)

const (
	oldestMinor = 15 // whose kubeadm reads what install writes
	noV1Minor   = 35 // whose kubelet does not start on cgroup v1, see KEP 5573
)

// distTag finds the release of Enterprise Linux in a package's release: the 7
// of "3.el7" or "1.module_el8.6.0+1".
var distTag = regexp.MustCompile(`[._+]el([0-9]+)`)

// release compares the version with what the runtime and the platform can be.
func (b *Bundle) release(f *findings) {
	minor, _, ok := b.minor()
	if !ok {
		return
	}
	if minor < oldestMinor {
		f.fail("bundle Kubernetes 1.15 or later", "kubernetes is %s, but install requires kubeadm 1.%d or later", b.Kubernetes, oldestMinor)
	}
	if a := b.Runtimes.About(b.Runtime); a.GoneMinor > 0 && minor >= a.GoneMinor {
		other := b.Runtimes.Another(b.Runtime, func(o cri.About) bool { return o.GoneMinor == 0 || minor < o.GoneMinor })
		f.fail("write runtime: "+other+", and "+b.Runtimes.About(other).Packages[0]+" instead of "+a.Packages[0]+" under packages.roots",
			"kubernetes is %s and runtime is %s: since 1.%d the kubelet does not support %s", b.Kubernetes, b.Runtime, a.GoneMinor, b.Runtime)
	}
	if minor < noV1Minor {
		return
	}
	switch familyOf(b).Cgroups {
	case software.CgroupsV1Only:
		f.fail("bundle Kubernetes 1.34 or earlier, or another platform.family",
			"kubernetes is %s and platform.family is %s, which has only cgroup v1: since 1.%d the kubelet does not start on it", b.Kubernetes, b.Platform.Family, noV1Minor)
	case software.CgroupsV1First:
		f.warn("on each host: grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1, then reboot",
			"kubernetes is %s and platform.family is %s, which boots with cgroup v1 by default: since 1.%d the kubelet does not start on it", b.Kubernetes, b.Platform.Family, noV1Minor)
	case software.CgroupsV2:
	}
}

// familyOf is what is known of the platform's family, nothing of one that there is not.
func familyOf(b *Bundle) software.About {
	all := b.Families
	if all == nil {
		all = distro.All(b.Runtimes)
	}
	s, err := all.For(b.Platform.Family)
	if err != nil {
		return software.About{}
	}
	return s.About()
}

// hosts compares the platform with the packages of the baseline.
func (b *Bundle) hosts(f *findings) {
	const fix = "set packages.baseline to the list of such a host (to print it, on the host: ./install inventory --baseline), or to none"
	if tag, own := mostly(b.Installed), familyOf(b).Release; tag != "" && own != "" && tag != own {
		f.fail(fix, "platform.family is %s, but the packages of packages.baseline %s are for el%s", b.Platform.Family, b.Baseline, tag)
	}
	want := b.Platform.RPMArch()
	other := ""
	for _, n := range b.Installed {
		if n.Arch == want {
			return
		}
		if n.Arch != "noarch" {
			other = n.Arch
		}
	}
	if other != "" {
		f.fail(fix, "platform.arch is %s, but the packages of packages.baseline %s are for %s", b.Platform.Arch, b.Baseline, other)
	}
}

// mostly is the release of Enterprise Linux that most packages are built for,
// "" where none says so.
func mostly(list []nevra.NEVRA) string {
	count := map[string]int{}
	best := ""
	for _, n := range list {
		if m := distTag.FindStringSubmatch(n.Release); m != nil {
			count[m[1]]++
			if count[m[1]] > count[best] || count[m[1]] == count[best] && m[1] > best {
				best = m[1]
			}
		}
	}
	return best
}

// distribution compares the platform with the packages that are carried.
func (b *Bundle) distribution(f *findings) {
	const most = 3
	own := familyOf(b).Release
	if own == "" {
		return
	}
	var other []string
	for _, n := range b.Packages {
		if m := distTag.FindStringSubmatch(n.Release); m != nil && m[1] != own {
			other = append(other, n.String())
		}
	}
	if len(other) == 0 {
		return
	}
	named := strings.Join(other[:min(len(other), most)], ", ")
	if mostly(b.Packages) != own && !slices.ContainsFunc(b.Packages, func(n nevra.NEVRA) bool {
		m := distTag.FindStringSubmatch(n.Release)
		return m != nil && m[1] == own
	}) {
		f.fail("name repositories of "+b.Platform.Family+" under packages.repos, or write platform.family: el"+mostly(b.Packages),
			"platform.family is %s, but every package with a distribution tag is built for el%s, such as %s", b.Platform.Family, mostly(b.Packages), named)
		return
	}
	f.warn("name repositories of "+b.Platform.Family+" under packages.repos", "platform.family is %s, but %d packages are built for another, such as %s", b.Platform.Family, len(other), named)
}

// processors warns of images that need more of a processor than the platform does.
func (b *Bundle) processors(f *findings) {
	has := familyOf(b).CPULevel
	for _, img := range b.Images {
		if level := Level(img.CPU); level > max(has, 1) {
			f.warn("run it on hosts whose processor has that level; to check, on each host: ./install preflight",
				"image %s requires a processor of level %s, which hosts of %s may not have", img.Name, img.CPU, b.Platform.Family)
		}
	}
}

// Level is the number of a level of x86-64 processors, as the psABI has them: 2
// of "x86-64-v2", 0 of anything else.
func Level(cpu string) int {
	return map[string]int{"x86-64-v2": 2, "x86-64-v3": 3, "x86-64-v4": 4}[cpu]
}
