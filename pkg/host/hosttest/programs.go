package hosttest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Exit is a program that ends badly.
type Exit struct {
	Code   int
	Stderr string
}

// Error is as os/exec has it.
func (e *Exit) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// ExitCode is for host.ExitCode.
func (e *Exit) ExitCode() int { return e.Code }

func notFound(name string) error { return fmt.Errorf("%w: %s", exec.ErrNotFound, name) }

// builtin are the programs that every CentOS 7 has.
func (m *Machine) builtin() map[string]Program {
	return map[string]Program{
		"systemctl":      m.systemctl,
		"systemd-escape": escape,
		"modprobe":       m.modprobe,
		"sysctl":         m.sysctl,
		"swapoff":        m.swapoff,
		"getenforce":     m.getenforce,
		"setenforce":     m.setenforce,
		"hostname":       m.hostname,
		"rm":             m.rm,
	}
}

func (m *Machine) systemctl(args []string, _ string) (string, error) {
	verb, name := args[0], args[len(args)-1]
	u, known := m.Units[name]
	switch verb {
	case "daemon-reload":
		return "", nil
	case "try-restart":
		return "", nil
	case "show":
		return showUnit(u), nil
	case "list-units":
		return m.listUnits(args), nil
	case "mask", "unmask":
		if !known {
			u = &Unit{NoFile: true}
			m.Units[name] = u
		}
		u.Masked = verb == "mask"
		return "", nil
	}
	if !known {
		return "", &Exit{Code: 5, Stderr: fmt.Sprintf("Failed to %s %s: Unit not found.", verb, name)}
	}
	switch verb {
	case "enable", "disable":
		u.Enabled = verb == "enable"
	case "start", "restart", "stop":
		if verb != "stop" && u.Masked {
			return "", &Exit{Code: 1, Stderr: fmt.Sprintf("Failed to start %s: Unit is masked.", name)}
		}
		u.Active = verb != "stop"
		m.swapUnit(name, u.Active)
	default:
		return "", &Exit{Code: 1, Stderr: "Unknown operation '" + verb + "'."}
	}
	return "", nil
}

// listUnits is systemctl list-units --type=TYPE --all --plain --no-legend.
func (m *Machine) listUnits(args []string) string {
	suffix := ""
	for _, a := range args {
		if s, ok := strings.CutPrefix(a, "--type="); ok {
			suffix = "." + s
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.Units)) {
		if strings.HasSuffix(name, suffix) {
			fmt.Fprintf(&b, "%s loaded active active %s\n", name, name)
		}
	}
	return b.String()
}

func showUnit(u *Unit) string {
	load, enabled, active := "loaded", "disabled", "inactive"
	switch {
	case u == nil:
		load, enabled = "not-found", ""
	case u.Masked:
		load, enabled = "masked", "masked"
	case u.NoFile:
		enabled = ""
	case u.Enabled:
		enabled = "enabled"
	}
	if u != nil && u.Active {
		active = "active"
	}
	return fmt.Sprintf("LoadState=%s\nActiveState=%s\nUnitFileState=%s\n", load, active, enabled)
}

// escape is systemd-escape --path --suffix=SUFFIX PATH.
func escape(args []string, _ string) (string, error) {
	suffix, path := "", args[len(args)-1]
	for _, a := range args {
		if s, ok := strings.CutPrefix(a, "--suffix="); ok {
			suffix = "." + s
		}
	}
	text := strings.ReplaceAll(strings.Trim(path, "/"), "-", `\x2d`)
	return strings.ReplaceAll(text, "/", "-") + suffix + "\n", nil
}

// modprobe loads a module, or with --dry-run --verbose says that it would. A
// loaded one has a folder in /sys/module; br_netfilter brings its settings.
func (m *Machine) modprobe(args []string, _ string) (string, error) {
	name := args[len(args)-1]
	loaded, ok := m.Modules[name]
	switch {
	case !ok:
		return "", &Exit{Code: 1, Stderr: "modprobe: FATAL: Module " + name + " not found."}
	case loaded:
		return "", nil
	case args[0] == "--dry-run":
		return "insmod /lib/modules/3.10.0/" + name + ".ko.xz\n", nil
	}
	m.Modules[name] = true
	files := []string{"sys/module/" + name + "/refcnt"}
	if name == "br_netfilter" {
		files = append(files, "proc/sys/net/bridge/bridge-nf-call-iptables", "proc/sys/net/bridge/bridge-nf-call-ip6tables")
	}
	const dirMode, fileMode = 0o755, 0o644
	for _, f := range files {
		path := filepath.Join(m.root, f)
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte("0\n"), fileMode); err != nil {
			return "", err
		}
	}
	return "", nil
}

// sysctl knows -p FILE and -w KEY=VALUE; a key that has no file is an error.
func (m *Machine) sysctl(args []string, _ string) (string, error) {
	settings := args[1:]
	if args[0] == "-p" {
		text, err := os.ReadFile(filepath.Join(m.root, args[1]))
		if err != nil {
			return "", &Exit{Code: 255, Stderr: "sysctl: cannot open " + args[1]}
		}
		settings = nil
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				settings = append(settings, line)
			}
		}
	}
	var exit error
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		path := filepath.Join(m.root, "proc/sys", strings.ReplaceAll(strings.TrimSpace(key), ".", "/"))
		if _, err := os.Stat(path); err != nil {
			exit = &Exit{Code: 255, Stderr: "sysctl: cannot stat " + path}
			continue
		}
		const fileMode = 0o644
		if err := os.WriteFile(path, []byte(strings.TrimSpace(value)+"\n"), fileMode); err != nil {
			return "", err
		}
	}
	return "", exit
}

const swapHead = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"

// swapoff is swapoff DEVICE; /proc/swaps says what is on.
func (m *Machine) swapoff(args []string, _ string) (string, error) {
	device := args[len(args)-1]
	lines, at := m.swaps(device)
	if at < 0 {
		return "", &Exit{Code: 255, Stderr: "swapoff: " + device + ": swapoff failed: Invalid argument"}
	}
	unit, err := escape([]string{"--suffix=swap", device}, "")
	if err != nil {
		return "", err
	}
	if u := m.Units[strings.TrimSpace(unit)]; u != nil {
		u.Active = false
	}
	return "", m.writeSwaps(append(lines[:at:at], lines[at+1:]...))
}

// swapUnit turns swap on or off as systemd does through its unit.
func (m *Machine) swapUnit(name string, on bool) {
	path, ok := strings.CutSuffix(name, ".swap")
	if !ok {
		return
	}
	device := "/" + strings.ReplaceAll(strings.ReplaceAll(path, "-", "/"), `\x2d`, "-")
	lines, at := m.swaps(device)
	switch {
	case on && at < 0:
		_ = m.writeSwaps(append(lines, device+" partition\t2097148\t0\t-2\n"))
	case !on && at >= 0:
		_ = m.writeSwaps(append(lines[:at:at], lines[at+1:]...))
	}
}

func (m *Machine) swaps(device string) (lines []string, at int) {
	text, _ := os.ReadFile(filepath.Join(m.root, "proc/swaps")) // none is no swap
	at = -1
	for line := range strings.Lines(string(text)) {
		if line == swapHead {
			continue
		}
		if strings.HasPrefix(line, device+" ") {
			at = len(lines)
		}
		lines = append(lines, line)
	}
	return lines, at
}

func (m *Machine) writeSwaps(lines []string) error {
	const fileMode = 0o644
	return os.WriteFile(filepath.Join(m.root, "proc/swaps"), []byte(swapHead+strings.Join(lines, "")), fileMode)
}

func (m *Machine) getenforce([]string, string) (string, error) {
	if m.Enforce == "" {
		return "", notFound("getenforce")
	}
	return m.Enforce + "\n", nil
}

func (m *Machine) setenforce(args []string, _ string) (string, error) {
	switch {
	case m.Enforce == "Disabled":
		return "", &Exit{Code: 1, Stderr: "setenforce: SELinux is disabled"}
	case args[0] == "0":
		m.Enforce = "Permissive"
	default:
		m.Enforce = "Enforcing"
	}
	return "", nil
}

// hostname prints or sets /proc/sys/kernel/hostname.
func (m *Machine) hostname(args []string, _ string) (string, error) {
	path := filepath.Join(m.root, "proc/sys/kernel/hostname")
	if len(args) == 0 {
		text, err := os.ReadFile(path)
		return string(text), err
	}
	const fileMode = 0o644
	return "", os.WriteFile(path, []byte(args[0]+"\n"), fileMode)
}

// rm is rm -f or -rf PATH...
func (m *Machine) rm(args []string, _ string) (string, error) {
	for _, path := range args[1:] {
		if err := os.RemoveAll(filepath.Join(m.root, path)); err != nil {
			return "", err
		}
	}
	return "", nil
}
