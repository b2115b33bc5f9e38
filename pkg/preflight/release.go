package preflight

import (
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/agree"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
)

// These requirements depend on the release of Kubernetes, which the checks read from
// the bundle's manifest.

// bundled compares the parts of the bundle with each other, as the builder does: in
// a bundle of an earlier builder or one assembled by hand they may not agree.
func bundled(_ *host.Host, o *Options, f *found) error {
	if o.Lock == nil {
		return nil
	}
	b := agree.Of(o.Manifest, o.Lock, o.Facts.Packages)
	b.Networks, b.Runtimes, b.Families = o.Networks, o.Runtimes, software.Sources{o.Software}
	for _, x := range b.Check() {
		fix := "on the connected machine, in the manifest: " + x.Hint + "; then bundle build MANIFEST --update"
		if x.Warn || x.Absent && o.Lock.Baseline != manifest.NoBaseline && len(o.Facts.Packages) == 0 {
			f.warn(fix, "%s", x.Text)
		} else {
			f.fail(fix, "%s", x.Text)
		}
	}
	f.okIf("version, packages, images and runtime agree")
	return nil
}

// leastKernel returns the minimum kernel of kubeadm of a minor release, from its
// system check (k8s.io/system-validators): 3.10 in version 1.8, which kubeadm links up
// to 1.31; 4.19 in 1.9, in 1.32 and 1.33. Since 1.10, in 1.34, kubeadm only warns below
// 5.4.
func leastKernel(minor int) (fails, warns [2]int) {
	const longTerm, lenient = 32, 34
	oldest := [2]int{3, 10}
	switch {
	case minor >= lenient:
		return oldest, [2]int{5, 4}
	case minor >= longTerm:
		return [2]int{4, 19}, oldest
	}
	return oldest, oldest
}

func kernel(_ *host.Host, o *Options, f *found) error {
	major, minor := facts.OS{Version: o.Facts.Kernel}.Numbers()
	release, _ := minorOf(o.Manifest.Kubernetes)
	fails, warns := leastKernel(release)
	below := func(least [2]int) bool { return slices.Compare([]int{major, minor}, least[:]) < 0 }
	const other = "use a host with such a kernel (list the installed ones with grubby --info=ALL), or, on the connected machine, bundle Kubernetes 1.31 or earlier"
	switch {
	case below([2]int{3, 10}):
		f.fail("boot the kernel of CentOS 7: see grubby --default-kernel, set it with grubby --set-default /boot/vmlinuz-VERSION, then reboot",
			"the kernel is %s, Kubernetes %s needs %d.%d or later", orUnknown(o.Facts.Kernel), o.Manifest.Kubernetes, fails[0], fails[1])
	case below(fails):
		f.fail(other, "the kernel is %s, Kubernetes %s needs %d.%d or later", o.Facts.Kernel, o.Manifest.Kubernetes, fails[0], fails[1])
	case below(warns):
		f.warn(other, "the kernel is %s, Kubernetes %s is tested with %d.%d or later", o.Facts.Kernel, o.Manifest.Kubernetes, warns[0], warns[1])
	}
	f.okIf("%s", o.Facts.Kernel)
	return nil
}

// cgroupsNeeded returns the controllers that kubeadm's system check requires.
func cgroupsNeeded() []string {
	return []string{"cpu", "cpuacct", "cpuset", "devices", "freezer", "memory"}
}

// The first minor releases of Kubernetes 1 that run on cgroup v2, and that no longer
// start on v1: from 1.35 on the kubelet's failCgroupV1 defaults to true (KEP 5573), and
// the configuration that install writes does not change it.
const (
	unified = 19
	noV1    = 35
)

func cgroups(h *host.Host, o *Options, f *found) error {
	mounts, err := h.Mounts()
	if err != nil {
		return err
	}
	v1, v2 := false, false
	for _, m := range mounts {
		v1 = v1 || m.Type == "cgroup"
		v2 = v2 || m.Type == "cgroup2" && m.At == "/sys/fs/cgroup"
	}
	minor, known := minorOf(o.Manifest.Kubernetes)
	switch {
	case !v1 && !v2:
		f.fail("mount the control groups: systemctl daemon-reexec, or reboot", "no control groups (cgroups) are mounted at /sys/fs/cgroup")
		return nil
	case v2: // only the root counts, whatever else is mounted
		if known && minor < unified {
			f.fail("grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=0, then reboot",
				"this host uses cgroup v2, but Kubernetes %s supports only cgroup v1", o.Manifest.Kubernetes)
		}
		f.okIf("cgroup v2")
		return nil
	case known && minor >= noV1:
		fix := "grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1, then reboot"
		if o.Software.About().Cgroups == software.CgroupsV1Only {
			fix = "use a host with Enterprise Linux 8 or later, whose kernel has cgroup v2, or, on the connected machine, bundle Kubernetes 1.34 or earlier"
		}
		f.fail(fix, "this host uses cgroup v1, but the kubelet of Kubernetes %s needs cgroup v2", o.Manifest.Kubernetes)
		return nil
	}
	text, err := h.Text("/proc/cgroups")
	if err != nil {
		return err
	}
	for _, name := range cgroupsNeeded() {
		if !cgroupEnabled(text, name) {
			f.fail("grubby --update-kernel=ALL --remove-args=cgroup_disable="+name+", then reboot",
				"the kernel's control group %q is missing or disabled", name)
		}
	}
	f.okIf("cgroup v1 with %s", strings.Join(cgroupsNeeded(), ", "))
	return nil
}

// cgroupEnabled reads /proc/cgroups: name, hierarchy, number, enabled.
func cgroupEnabled(text, name string) bool {
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) > 3 && w[0] == name {
			return w[3] == "1"
		}
	}
	return false
}

// minorOf returns the 17 of v1.17.4.
func minorOf(version string) (int, bool) {
	major, minor := facts.OS{Version: strings.TrimPrefix(version, "v")}.Numbers()
	return minor, major == 1 && minor >= 0
}

// levels returns the flags of /proc/cpuinfo that each x86-64 level from 2 on adds to
// the previous one: x86-64 psABI, 3.1.1 (Linux calls SSE3 pni and LZCNT abm).
func levels() [][]string {
	return [][]string{
		{"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"},
		{"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
		{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
	}
}

// processor compares the processor with the images that need more than baseline
// x86-64.
func processor(h *host.Host, o *Options, f *found) error {
	if o.Lock == nil || o.Manifest.Platform.Arch != "amd64" {
		return nil
	}
	need, image := 0, ""
	for _, img := range o.Lock.Images {
		if level := agree.Level(img.CPU); level > need {
			need, image = level, img.Name
		}
	}
	if need == 0 {
		return nil
	}
	text, err := h.Text("/proc/cpuinfo")
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "flags" {
			for w := range strings.FieldsSeq(value) {
				has[w] = true
			}
			break
		}
	}
	var missing []string
	for _, flags := range levels()[:need-1] {
		for _, flag := range flags {
			if !has[flag] {
				missing = append(missing, flag)
			}
		}
	}
	if len(missing) > 0 {
		f.fail("set the virtual machine's CPU model to host-passthrough, or use another host",
			"image %s needs an x86-64-v%d processor, this one lacks %s", image, need, strings.Join(missing, ", "))
	}
	f.okIf("x86-64-v%d, required by %s", need, image)
	return nil
}
