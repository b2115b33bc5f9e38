package facts

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"kubecrate/pkg/host"
)

// OS is the system's own word for itself. Pretty is for people; Version has as
// many parts as the system tells, "7.9.2009".
type OS struct {
	ID      string `json:"id"` // as os-release has it: centos, rhel
	Version string `json:"version"`
	Pretty  string `json:"pretty"`
}

// Numbers are the first two parts of the version, -1 for a part that is not there.
func (o OS) Numbers() (major, minor int) {
	parts := strings.Split(o.Version, ".")
	n := [2]int{-1, -1}
	for i := range min(len(parts), len(n)) {
		v, err := strconv.Atoi(parts[i])
		if err != nil {
			break
		}
		n[i] = v
	}
	return n[0], n[1]
}

func (f *Facts) readSystem(ctx context.Context, h *host.Host) error {
	red, err := text(h, "/etc/redhat-release")
	if err != nil {
		return err
	}
	release, err := text(h, "/etc/os-release")
	if err != nil {
		return err
	}
	f.OS = parseOS(red, release)
	if f.Kernel, err = text(h, "/proc/sys/kernel/osrelease"); err != nil {
		return err
	}
	mode, err := output(ctx, h, "getenforce")
	f.SELinux = strings.ToLower(strings.TrimSpace(mode))
	return err
}

// redHat is a line of /etc/redhat-release: "CentOS Linux release 7.9.2009 (Core)".
var redHat = regexp.MustCompile(`^(\S.*) release ([0-9]+(?:\.[0-9]+)*)`)

// parseOS reads /etc/redhat-release, which alone tells the minor version of a
// CentOS, and /etc/os-release for systems that have no such file.
func parseOS(red, release string) OS {
	first, _, _ := strings.Cut(red, "\n")
	values := shellValues(release)
	if m := redHat.FindStringSubmatch(first); m != nil {
		return OS{ID: redHatID(m[1], values["ID"]), Version: m[2], Pretty: strings.TrimSpace(first)}
	}
	o := OS{ID: values["ID"], Version: values["VERSION_ID"], Pretty: values["PRETTY_NAME"]}
	if o.Pretty == "" {
		o.Pretty = strings.TrimSpace(values["NAME"] + " " + values["VERSION"])
	}
	return o
}

// redHatID is the ID that goes with a name in redhat-release.
func redHatID(name, id string) string {
	for prefix, known := range map[string]string{"CentOS": "centos", "Red Hat": "rhel", "Rocky": "rocky", "AlmaLinux": "almalinux", "Scientific": "scientific", "Fedora": "fedora"} {
		if strings.HasPrefix(name, prefix) && id != "ol" {
			return known
		}
	}
	return id
}

// shellValues reads the assignments of os-release(5).
func shellValues(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		values[key] = value
	}
	return values
}

func (f *Facts) readHardware(ctx context.Context, h *host.Host) error {
	machine, err := output(ctx, h, "uname", "-m")
	if err != nil {
		return err
	}
	f.Arch = goArch(strings.TrimSpace(machine))
	online, err := text(h, "/sys/devices/system/cpu/online")
	if err != nil {
		return err
	}
	if f.CPUs = countList(online); f.CPUs == 0 {
		info, err := text(h, "/proc/cpuinfo")
		if err != nil {
			return err
		}
		f.CPUs = countProcessors(info)
	}
	memory, err := text(h, "/proc/meminfo")
	if err != nil {
		return err
	}
	f.Memory = memTotal(memory)
	swaps, err := text(h, "/proc/swaps")
	f.Swap = swapTotal(swaps)
	return err
}

// goArch is what Go calls a machine of uname -m.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// mostCPUs bounds what is believed.
const mostCPUs = 1 << 16

// countList counts the members of a kernel's list, "0-3,6"; 0 for anything else.
func countList(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, err1 := strconv.ParseUint(from, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || b < a || n > mostCPUs {
			return 0
		}
		n += int(b-a) + 1
	}
	return n
}

// countProcessors counts those of /proc/cpuinfo.
func countProcessors(info string) int {
	n := 0
	for line := range strings.Lines(info) {
		if key, _, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "processor" {
			n++
		}
	}
	return n
}

// mostKB keeps kilobytes from overflowing when they become bytes.
const mostKB = 1 << 52

func kilobytes(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 || n > mostKB {
		return 0
	}
	return n << 10
}

// memTotal is MemTotal of /proc/meminfo in bytes.
func memTotal(text string) int64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			return kilobytes(f[1])
		}
	}
	return 0
}

// swapTotal adds up the sizes in /proc/swaps, in bytes.
func swapTotal(text string) int64 {
	const size = 2 // the column
	var n int64
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > size && n < mostKB<<10 {
			n += kilobytes(f[size])
		}
	}
	return n
}

func (f *Facts) readIdentity(_ context.Context, h *host.Host) error {
	for _, fact := range []struct {
		path string
		to   *string
	}{
		{"/proc/sys/kernel/hostname", &f.Hostname},
		{"/sys/class/dmi/id/product_uuid", &f.ProductUUID},
		{"/etc/machine-id", &f.MachineID},
		{"/proc/sys/kernel/random/boot_id", &f.BootID},
	} {
		var err error
		if *fact.to, err = text(h, fact.path); err != nil {
			return err
		}
	}
	f.ProductUUID = strings.ToLower(f.ProductUUID)
	zone, err := h.FileState("/etc/localtime")
	if err != nil {
		return fmt.Errorf("cannot read the time zone: %w", err)
	}
	if _, name, ok := strings.Cut(zone.Link, "/zoneinfo/"); ok {
		f.Timezone = name
	}
	return nil
}
