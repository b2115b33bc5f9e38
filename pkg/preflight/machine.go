package preflight

import (
	"fmt"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// NotRoot is the message where root is needed; it takes the user ID.
const NotRoot = "root is required; running as user %d"

func root(_ *host.Host, o *Options, f *found) error {
	if o.EUID != 0 {
		f.fail(hint.Root(o.Command), NotRoot, o.EUID)
	}
	f.okIf("running as root")
	return nil
}

// system asks the bundle's OS family whether its packages fit the host.
func system(h *host.Host, o *Options, f *found) error {
	s, err := o.Software.Supports(h)
	if err != nil {
		return err
	}
	if s.Problem != "" {
		f.fail(s.Hint, "%s", s.Problem)
	}
	f.okIf("%s", s.Name)
	return nil
}

func arch(_ *host.Host, o *Options, f *found) error {
	if want := o.Manifest.Platform.Arch; o.Facts.Arch != want {
		f.fail("on the connected machine: bundle build with platform.arch: "+orUnknown(o.Facts.Arch),
			"this host's architecture is %s, the bundle is for %s", orUnknown(o.Facts.Arch), want)
	}
	f.okIf("%s", o.Facts.Arch)
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// systemd checks for the directory that shows that systemd runs the host, sd_booted(3).
func systemd(h *host.Host, _ *Options, f *found) error {
	ok, err := h.Exists("/run/systemd/system")
	if err != nil {
		return err
	}
	if !ok {
		f.fail("boot the host with systemd; a chroot or a plain container does not work", "systemd is not running on this host")
	}
	f.okIf("systemd is running")
	return nil
}

func cpus(_ *host.Host, o *Options, f *found) error {
	// kubeadm's ControlPlaneNumCPU.
	need := 1
	if o.controls() {
		need = 2
	}
	if n := o.Facts.CPUs; n < need {
		f.fail("add a CPU to the virtual machine, or use another host", "this host has %s, a %s needs %d", count(n, "CPU"), roleName(o.Role), need)
	}
	f.okIf("%s", count(o.Facts.CPUs, "CPU"))
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// The minimum memory in MiB: kubeadm's ControlPlaneMem, which a host with 2 GiB still
// has after the kernel took its share, and three times what a node with flannel's and
// kube-proxy's pods was measured to use.
const (
	masterMemory = 1700
	nodeMemory   = 900
)

func memory(_ *host.Host, o *Options, f *found) error {
	has := o.Facts.Memory >> 20
	need := int64(nodeMemory)
	if o.controls() {
		need = masterMemory
	}
	switch {
	case has < need:
		f.fail("give the virtual machine 2048 MiB, or use another host", "this host has %d MiB of memory, a %s needs %d MiB", has, roleName(o.Role), need)
	case has < masterMemory:
		f.warn("give the virtual machine 2048 MiB", "this host has %d MiB of memory: enough for a %s, but few pods fit beside Kubernetes", has, roleName(o.Role))
	}
	f.okIf("%d MiB", has)
	return nil
}

// program is one that the installation or Kubernetes runs.
type program struct {
	name string
	must bool
}

// programList lists the programs that kubeadm's preflight checks and the steps run.
func programList(o *Options) []program {
	var list []program
	for _, name := range append([]string{"ip", "iptables", "modprobe", "mount", "nsenter", "sysctl"}, o.Software.About().Programs...) {
		list = append(list, program{name, true})
	}
	for _, name := range []string{"conntrack", "ebtables", "ethtool", "socat", "tc"} {
		list = append(list, program{name, false})
	}
	return list
}

func programs(h *host.Host, o *Options, f *found) error {
	var brought []string
	for _, p := range programList(o) {
		provider := o.Software.Provider(p.name)
		there, err := hasProgram(h, p.name)
		switch {
		case err != nil:
			return err
		case there:
			continue
		case o.Lock != nil && slices.ContainsFunc(o.Lock.Packages, func(l manifest.LockedPackage) bool { return l.NEVRA.Name == provider }):
			brought = append(brought, p.name)
			continue
		}
		fix := "on the connected machine, add " + provider + " to packages.roots of the manifest; or " + o.Software.MediumHint(provider)
		if p.must {
			f.fail(fix, "the program %s is missing and not in the bundle", p.name)
		} else {
			f.warn(fix, "the program %s is missing and not in the bundle; parts of Kubernetes use it", p.name)
		}
	}
	if len(brought) > 0 {
		f.okIf("%s: installed from the bundle", strings.Join(brought, ", "))
	}
	f.okIf("all present")
	return nil
}

func hasProgram(h *host.Host, name string) (bool, error) {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if ok, err := h.Exists(dir + "/" + name); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
