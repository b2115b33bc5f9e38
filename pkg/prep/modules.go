package prep

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// Modules is the step that loads the kernel's bridge filter and overlay file system,
// now and at boot.
func Modules() step.Step {
	return modules{name: "modules", file: "/etc/modules-load.d/kubernetes.conf", modules: []module{
		{"br_netfilter", effect{path: "/proc/sys/net/bridge"}},
		{"overlay", effect{path: "/proc/filesystems", word: "overlay"}},
	}}
}

// modules loads kernel modules and lists them in a file of modules-load.d(5).
type modules struct {
	name, file string
	modules    []module
	// absent is called if the kernel does not support a module at all; nil makes the
	// step impossible then.
	absent func(st *step.Status, missing string)
}

// module is a kernel module and the sign that its function is available, whether it
// is loaded or built in.
type module struct {
	name string
	sign effect
}

// effect is a path that exists, or a word in that file.
type effect struct{ path, word string }

func (e effect) there(h *host.Host) (bool, error) {
	if e.word == "" {
		return h.Exists(e.path)
	}
	text, err := h.Text(e.path)
	for _, w := range strings.Fields(text) {
		if w == e.word {
			return true, nil
		}
	}
	return false, err
}

// there reports whether the module's function is available: by its sign, or by its
// directory in /sys/module. /proc/modules does not exist in a kernel without loadable
// modules.
func (m module) there(h *host.Host) (bool, error) {
	if m.sign.path != "" {
		if ok, err := m.sign.there(h); ok || err != nil {
			return ok, err
		}
	}
	return h.Exists("/sys/module/" + m.name)
}

func (s modules) Name() string { return s.name }

func (s modules) text() string {
	var b strings.Builder
	for _, m := range s.modules {
		b.WriteString(m.name + "\n")
	}
	return b.String()
}

func (s modules) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	for _, m := range s.modules {
		there, err := m.there(h)
		if err != nil {
			return st, err
		}
		if there {
			continue
		}
		out, err := h.Query(ctx, "modprobe", "--dry-run", "--verbose", m.name)
		switch {
		case err == nil && !strings.Contains(string(out), "insmod"):
			continue // built in, or loaded
		case err == nil:
			st.Todo("load the kernel module %s", m.name)
			continue
		case host.ExitCode(err) < 0 && !host.NotFound(err):
			return st, err
		}
		if s.absent == nil {
			return step.Cannot("see uname -r; install and boot a kernel that has it, such as that of CentOS 7.5 or later",
				"the kernel has no %s, built in or as a module", m.name), nil
		}
		s.absent(&st, m.name)
		return st, nil
	}
	text, err := h.Text(s.file)
	if err != nil {
		return st, err
	}
	st.File(s.file, text, s.text())
	return st, nil
}

func (s modules) Apply(ctx context.Context, h *host.Host) error {
	for _, m := range s.modules {
		there, err := m.there(h)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		// Undo does not unload it: other programs may use it.
		if err := h.Change(ctx, host.Command("modprobe", m.name), nil); err != nil {
			return fmt.Errorf("cannot load kernel module %s: %w", m.name, err)
		}
	}
	text, err := h.Text(s.file)
	if err != nil || text == s.text() {
		return err
	}
	return h.WriteFile(s.file, []byte(s.text()), host.FileMode)
}
