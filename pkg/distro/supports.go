package distro

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
)

const (
	releaseFile = "/etc/redhat-release"
	osFile      = "/etc/os-release"
)

// Supports is software.Source's. /etc/redhat-release takes precedence over
// /etc/os-release, which has no minor release on CentOS.
func (d Distro) Supports(h *host.Host) (software.System, error) {
	release, err := h.Text(releaseFile)
	if err != nil {
		return software.System{}, fmt.Errorf("cannot determine the operating system: %w", err)
	}
	osRelease, err := h.Text(osFile)
	if err != nil {
		return software.System{}, fmt.Errorf("cannot determine the operating system: %w", err)
	}
	s, major, minor := identify(release, osRelease)
	fix := fmt.Sprintf("use a bundle for this system, or a host with CentOS or RHEL %s", d.least())
	switch {
	case major == 0:
		s.Problem, s.Hint = fmt.Sprintf("this host has %s; the bundle is for %s: CentOS, RHEL and compatible systems", s.Name, d.name), fix
	case major != d.major:
		s.Problem, s.Hint = fmt.Sprintf("this host has %s; the bundle is for release %d", s.Name, d.major), fix
	case minor >= 0 && minor < d.minor:
		s.Problem = fmt.Sprintf("this host has %s, which is too old: Kubernetes needs %s or later", s.Name, d.least())
		s.Hint = fmt.Sprintf("%s update from an installation medium of %s or later, then reboot", d.manager, d.least())
	}
	return s, nil
}

func (d Distro) least() string {
	if d.minor == 0 {
		return strconv.Itoa(d.major)
	}
	return fmt.Sprintf("%d.%d", d.major, d.minor)
}

// releaseForm is "NAME release 7.9.2009 (Core)"; a minor release may be absent.
const releaseForm = `^(\S.*?) release ([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:[. ]|$)`

// identify parses both files. major is 0 for a system that is not compatible with RHEL,
// minor -1 if unknown.
func identify(release, osRelease string) (s software.System, major, minor int) {
	fields := osFields(osRelease)
	line, _, _ := strings.Cut(release, "\n")
	s.Name = strings.TrimSpace(line)
	if m := regexp.MustCompile(releaseForm).FindStringSubmatch(s.Name); m != nil && !strings.HasPrefix(m[1], "Fedora") {
		major, minor = number(m[2]), number(m[3])
	} else if like(fields) {
		first, second, _ := strings.Cut(fields["VERSION_ID"], ".")
		major, minor = max(0, number(first)), number(second)
	}
	if s.Name == "" {
		s.Name = fields["PRETTY_NAME"]
	}
	if s.Name == "" {
		s.Name = "an unknown operating system"
	}
	switch {
	case major > 0 && minor >= 0:
		s.Release = fmt.Sprintf("%d.%d", major, minor)
	case major > 0:
		s.Release = strconv.Itoa(major)
	}
	return s, major, minor
}

// number returns -1 if s is not a number.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// like reports whether os-release is of RHEL or a system that declares itself similar.
func like(fields map[string]string) bool {
	words := append(strings.Fields(fields["ID_LIKE"]), fields["ID"])
	return fields["ID"] != "fedora" && (slices.Contains(words, "rhel") || slices.Contains(words, "centos"))
}

// osFields parses os-release(5): KEY=VALUE, where the value may be quoted.
func osFields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			fields[key] = strings.Trim(value, `"'`)
		}
	}
	return fields
}
