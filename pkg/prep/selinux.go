package prep

import (
	"context"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const selinuxFile = "/etc/selinux/config"

// SELinux is the step that sets SELinux to permissive now and disables it from the
// next boot on.
func SELinux() step.Step { return selinux{} }

type selinux struct{}

func (selinux) Name() string { return "selinux" }

func (selinux) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	mode, err := enforcing(ctx, h)
	if err != nil {
		return st, err
	}
	if mode == "Enforcing" {
		st.Todo("set SELinux to permissive")
	}
	text, err := h.Text(selinuxFile)
	if err != nil {
		return st, err
	}
	st.File(selinuxFile, text, disabled(text))
	return st, nil
}

// enforcing returns the output of getenforce, "" on a host without SELinux.
func enforcing(ctx context.Context, h *host.Host) (string, error) {
	out, err := h.Query(ctx, "getenforce")
	if host.NotFound(err) {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}

// disabled returns the config file with SELINUX=disabled. The last such line counts,
// so every one is changed; a file without one stays unchanged.
func disabled(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		key, _, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(key) == "SELINUX" {
			line = "SELINUX=disabled\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func (selinux) Apply(ctx context.Context, h *host.Host) error {
	mode, err := enforcing(ctx, h)
	if err != nil {
		return err
	}
	if mode == "Enforcing" {
		if err := h.Change(ctx, host.Command("setenforce", "0"), []string{"setenforce", "1"}); err != nil {
			return err
		}
	}
	text, err := h.Text(selinuxFile)
	if err != nil || disabled(text) == text {
		return err
	}
	return h.WriteFile(selinuxFile, []byte(disabled(text)), host.FileMode)
}
