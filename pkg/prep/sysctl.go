package prep

import (
	"context"
	"fmt"
	"path"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const sysctlFile = "/etc/sysctl.d/kubernetes.conf"

// Sysctl is the step that sets the kernel parameters that Kubernetes needs, now and
// at boot. It comes after Modules: br_netfilter adds the bridge's parameters.
func Sysctl() step.Step { return sysctl{} }

type sysctl struct{}

// setting is a key of sysctl(8) and its value.
type setting struct{ key, value string }

// settings returns those of kubeadm's guide, and swappiness as the tutorial sets it:
// if swap is turned on again, it is hardly used.
func settings() []setting {
	return []setting{
		{"net.bridge.bridge-nf-call-iptables", "1"},
		{"net.bridge.bridge-nf-call-ip6tables", "1"},
		{"net.ipv4.ip_forward", "1"},
		{"vm.swappiness", "0"},
	}
}

func (s setting) proc() string { return "/proc/sys/" + strings.ReplaceAll(s.key, ".", "/") }

func (sysctl) Name() string { return "sysctl" }

func sysctlText() string {
	var b strings.Builder
	for _, s := range settings() {
		fmt.Fprintf(&b, "%s = %s\n", s.key, s.value)
	}
	return b.String()
}

func (sysctl) Check(_ context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	for _, s := range settings() {
		ok, err := h.Exists(s.proc())
		if err != nil {
			return st, err
		}
		if !ok {
			return st, hint.With(fmt.Errorf("the kernel has no parameter %s", s.key), "modprobe br_netfilter")
		}
		now, err := h.Text(s.proc())
		if err != nil {
			return st, err
		}
		if now = strings.TrimSpace(now); now != s.value {
			st.Todo("set %s to %s (now %s)", s.key, s.value, now)
		}
	}
	text, err := h.Text(sysctlFile)
	if err != nil {
		return st, err
	}
	st.File(sysctlFile, text, sysctlText())
	err = warnLater(h, &st)
	return st, err
}

// warnLater warns of files that set one of these parameters to another value and are
// read later at boot: /etc/sysctl.conf is last, sysctl.d is read in order of names.
func warnLater(h *host.Host, st *step.Status) error {
	names, err := h.ReadDir(path.Dir(sysctlFile))
	if err != nil {
		return err
	}
	var later []string
	for _, n := range names {
		if strings.HasSuffix(n, ".conf") && n > path.Base(sysctlFile) {
			later = append(later, path.Dir(sysctlFile)+"/"+n)
		}
	}
	for _, file := range append(later, "/etc/sysctl.conf") {
		text, err := h.Text(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(line, "=")
			for _, s := range settings() {
				if strings.TrimSpace(key) == s.key && strings.TrimSpace(value) != s.value {
					st.Warn("%s sets %s to %s, which takes effect at the next boot: remove that line", file, s.key, strings.TrimSpace(value))
				}
			}
		}
	}
	return nil
}

func (sysctl) Apply(ctx context.Context, h *host.Host) error {
	text, err := h.Text(sysctlFile)
	if err != nil {
		return err
	}
	if text != sysctlText() {
		if err := h.WriteFile(sysctlFile, []byte(sysctlText()), host.FileMode); err != nil {
			return err
		}
	}
	for _, s := range settings() {
		now, err := h.Text(s.proc())
		if err != nil {
			return err
		}
		if now = strings.TrimSpace(now); now == s.value {
			continue
		}
		// One call each, because each has its own undo command.
		set := host.Command("sysctl", "-w", s.key+"="+s.value)
		if err := h.Change(ctx, set, []string{"sysctl", "-w", s.key + "=" + now}); err != nil {
			return err
		}
	}
	// An error in the file shows now, not at the next boot.
	if _, err := h.Query(ctx, "sysctl", "-p", sysctlFile); err != nil {
		return fmt.Errorf("cannot apply %s: %w", sysctlFile, err)
	}
	return nil
}
