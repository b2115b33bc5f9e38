// Package hosttest is a double of a CentOS 7 host: its files lie in a temporary
// directory, and the programs that steps call change a model of it.
package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kubecrate/pkg/host"
)

// Unit is the state of a systemd unit.
type Unit struct {
	Enabled, Active, Masked bool
	NoFile                  bool // made by systemd itself, such as a swap unit
}

// Program answers a call; args are without its name.
type Program func(args []string, stdin string) (stdout string, err error)

// Machine is the model. Set it up before it is used; Programs replaces or adds
// programs by name. A program that the machine does not have is not found.
type Machine struct {
	Units    map[string]*Unit
	Modules  map[string]bool // those that modprobe can load: loaded or not
	Enforce  string          // what getenforce prints; "" has no SELinux
	Programs map[string]Program
	// OnCall sees every call before it runs; an error of it ends the call, as a
	// kill of the whole program would.
	OnCall func(line string) error

	root  string
	mu    sync.Mutex
	calls []string
}

// New is a host without files, and its machine.
func New(tb testing.TB) (*host.Host, *Machine) {
	tb.Helper()
	m := &Machine{Units: map[string]*Unit{}, Modules: map[string]bool{}, Programs: map[string]Program{}, root: tb.TempDir()}
	return &host.Host{Root: m.root, Runner: m}, m
}

// Write makes files: path and content in turn.
func (m *Machine) Write(tb testing.TB, pairs ...string) {
	tb.Helper()
	const dirMode, fileMode = 0o755, 0o644
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(m.root, pairs[i])
		if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(pairs[i+1]), fileMode); err != nil {
			tb.Fatal(err)
		}
	}
}

// Process adds a process of a user: what runs, and its arguments.
func (m *Machine) Process(tb testing.TB, pid, uid int, exe string, args ...string) {
	tb.Helper()
	dir := fmt.Sprintf("/proc/%d", pid)
	m.Write(tb, dir+"/cmdline", strings.Join(args, "\x00")+"\x00", dir+"/status", fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid))
	if err := os.Symlink(exe, filepath.Join(m.root, dir, "exe")); err != nil {
		tb.Fatal(err)
	}
}

// Read is the content of a file, "" for one that is missing.
func (m *Machine) Read(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return string(b)
}

// Calls are the command lines that were run.
func (m *Machine) Calls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// State is everything that a step can change, as text: two machines of one
// state are equal. The journal's directory and /proc, but for /proc/sys and
// /proc/swaps, are left out.
func (m *Machine) State(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	err := filepath.WalkDir(m.root, func(path string, d os.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, m.root)
		if err != nil || strings.HasPrefix(rel, "/var/lib/kubecrate") || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if d.Type()&os.ModeSymlink != 0 {
			var link string
			link, err = os.Readlink(path)
			text = []byte(link)
		}
		fmt.Fprintf(&b, "%s %v %q\n", rel, info.Mode(), text)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.Units)) {
		fmt.Fprintf(&b, "unit %s %+v\n", name, *m.Units[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.Modules)) {
		fmt.Fprintf(&b, "module %s %v\n", name, m.Modules[name])
	}
	fmt.Fprintf(&b, "enforce %s\n", m.Enforce)
	return b.String()
}

// Run is host.Runner's.
func (m *Machine) Run(ctx context.Context, c host.Cmd) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	line := host.CommandLine(c.Argv)
	if m.OnCall != nil {
		if err := m.OnCall(line); err != nil {
			return nil, err
		}
	}
	var stdin []byte
	if c.Stdin != nil {
		var err error
		if stdin, err = io.ReadAll(c.Stdin); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, line)
	program, ok := m.Programs[c.Argv[0]]
	if !ok {
		program, ok = m.builtin()[c.Argv[0]]
	}
	if !ok {
		return nil, &host.CommandError{Argv: c.Argv, Err: notFound(c.Argv[0])}
	}
	out, err := program(c.Argv[1:], string(stdin))
	var exit *Exit
	if errors.As(err, &exit) {
		err = &host.CommandError{Argv: c.Argv, Err: exit, Stdout: out, Stderr: exit.Stderr}
	}
	if c.Log != nil {
		if exit != nil {
			out += exit.Stderr
		}
		if _, err := c.Log.WriteString(out); err != nil {
			return nil, err
		}
		out = ""
	}
	return []byte(out), err
}

// Builtin is a program that every machine has, for one in Programs that does
// more than it.
func (m *Machine) Builtin(name string) Program { return m.builtin()[name] }
