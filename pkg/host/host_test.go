package host_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

// tape notes what is recorded.
type tape struct {
	files []string
	undos []string
	err   error
}

func (r *tape) File(path string, now host.FileState, after []byte) error {
	r.files = append(r.files, path+": "+string(now.Content)+" -> "+string(after))
	return r.err
}

func (r *tape) Undo(argv []string) error {
	r.undos = append(r.undos, host.CommandLine(argv))
	return r.err
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/selinux/config", "old")
	if err := os.Chmod(h.Path("/etc/selinux/config"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.Path("/etc/sysconfig"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../selinux/config", h.Path("/etc/sysconfig/selinux")); err != nil {
		t.Fatal(err)
	}
	r := &tape{}
	w := h.With(r)
	if err := w.WriteFile("/etc/sysconfig/selinux", []byte("new"), host.FileMode); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile("/etc/a/b/new", []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := m.Read(t, "/etc/selinux/config"); got != "new" {
		t.Errorf("the file behind the link holds %q", got)
	}
	for path, want := range map[string]os.FileMode{"/etc/selinux/config": 0o600, "/etc/a/b/new": 0o640} {
		info, err := os.Stat(h.Path(path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if info, err := os.Lstat(h.Path("/etc/sysconfig/selinux")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	want := "/etc/selinux/config: old -> new|/etc/a/b/new:  -> x"
	if got := strings.Join(r.files, "|"); got != want {
		t.Errorf("recorded %s, want %s", got, want)
	}
	if left, err := filepath.Glob(h.Path("/etc/*/.*.kubecrate")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestNothingUnrecorded: what cannot be recorded is not changed.
func TestNothingUnrecorded(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]host.Recorder{"no recorder": nil, "a recorder that fails": &tape{err: errors.New("disk full")}} {
		h, m := hosttest.New(t)
		m.Write(t, "/etc/fstab", "old")
		m.Units["x"] = &hosttest.Unit{Enabled: true, Active: true}
		before := m.State(t)
		w := h.With(r)
		for what, err := range map[string]error{
			"write":  w.WriteFile("/etc/fstab", []byte("new"), host.FileMode),
			"remove": w.Remove("/etc/fstab"),
			"off":    w.Disable(t.Context(), "x"),
			"undo":   w.RecordUndo("systemctl", "restart", "x"),
			"do":     w.Change(t.Context(), host.Command("setenforce", "0"), []string{"setenforce", "1"}),
		} {
			if err == nil {
				t.Errorf("%s: %s worked", name, what)
			}
		}
		if after := m.State(t); after != before {
			t.Errorf("%s: changed to\n%s", name, after)
		}
	}
}

// TestPutAbsent: a file that is to go is gone with its directory.
func TestPutAbsent(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/d/f", "x", "/etc/d/g", "x")
	for range 2 {
		if err := h.Put("/etc/d/f", host.FileState{Absent: true}); err != nil {
			t.Error(err)
		}
	}
	if err := os.RemoveAll(h.Path("/etc/d")); err != nil {
		t.Fatal(err)
	}
	if err := h.Put("/etc/d/g", host.FileState{Absent: true}); err != nil {
		t.Error(err)
	}
}

// TestPutAfterKill: what a run that was killed left of a file, this release's or one
// before it, goes with the next change of that file.
func TestPutAfterKill(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/f", "old", "/etc/.f.kubecrate", "ne", "/etc/.kubecrate-0123456789abcdef-f.part", "ne")
	for _, o := range []host.FileState{
		{Content: []byte("new"), Mode: 0o640, UID: os.Geteuid(), GID: os.Getegid()},
		{Link: "/etc/g"},
	} {
		if err := h.Put("/etc/f", o); err != nil {
			t.Fatal(err)
		}
		now, err := h.FileState("/etc/f")
		if err != nil || now.Link != o.Link || o.Link == "" && (string(now.Content) != "new" || now.Mode != o.Mode) {
			t.Errorf("it is %+v, %v", now, err)
		}
		if names, err := h.ReadDir("/etc"); err != nil || slices.Contains(names, ".f.kubecrate") || slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".part") }) {
			t.Errorf("there are %q, %v", names, err)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		unit  *hosttest.Unit
		do    func(*host.Host, context.Context, string) error
		want  hosttest.Unit
		undos string
	}{
		{"off", &hosttest.Unit{Enabled: true, Active: true}, (*host.Host).Disable, hosttest.Unit{}, "systemctl enable u|systemctl start u"},
		{"off, is off", &hosttest.Unit{}, (*host.Host).Disable, hosttest.Unit{}, ""},
		{"off, not there", nil, (*host.Host).Disable, hosttest.Unit{}, ""},
		{"on", &hosttest.Unit{}, (*host.Host).Enable, hosttest.Unit{Enabled: true, Active: true}, "systemctl disable u|systemctl stop u"},
		{"on, is on", &hosttest.Unit{Enabled: true, Active: true}, (*host.Host).Enable, hosttest.Unit{Enabled: true, Active: true}, ""},
		{"on, masked", &hosttest.Unit{Masked: true}, (*host.Host).Enable, hosttest.Unit{Enabled: true, Active: true}, "systemctl mask u|systemctl disable u|systemctl stop u"},
		{"mask", &hosttest.Unit{Active: true, NoFile: true}, (*host.Host).Mask, hosttest.Unit{Masked: true, NoFile: true}, "systemctl start u|systemctl unmask u"},
	} {
		h, m := hosttest.New(t)
		if c.unit != nil {
			m.Units["u"] = c.unit
		}
		r := &tape{}
		if err := c.do(h.With(r), t.Context(), "u"); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.unit != nil && *m.Units["u"] != c.want {
			t.Errorf("%s: the unit is %+v, want %+v", c.name, *m.Units["u"], c.want)
		}
		if got := strings.Join(r.undos, "|"); got != c.undos {
			t.Errorf("%s: recorded %s, want %s", c.name, got, c.undos)
		}
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	out, err := host.Exec{}.Run(ctx, host.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("in")})
	if err != nil || string(out) != "in" {
		t.Errorf("cat: %q, %v", out, err)
	}
	_, err = host.Exec{}.Run(ctx, host.Command("ls", "/no such file"))
	if host.ExitCode(err) != 2 || !strings.Contains(err.Error(), "ls '/no such file': exit status 2:\n") || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("ls: %v", err)
	}
	if _, err = (host.Exec{}).Run(ctx, host.Command("no-such-program")); !host.NotFound(err) {
		t.Errorf("not found: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err = (host.Exec{}).Run(short, host.Command("sleep", "60")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sleep: %v", err)
	}
}

// TestStdinBreaks: a program must not take what came so far for all of it, and
// the cause is what counts, whatever the program says.
func TestStdinBreaks(t *testing.T) {
	t.Parallel()
	broken := errors.New("the stick was pulled")
	for _, argv := range [][]string{{"cat"}, {"tar", "-x", "-f", "-"}, {"sh", "-c", "cat; touch " + t.TempDir() + "/end; sleep 60"}} {
		r, w := io.Pipe()
		go func() {
			_, _ = w.Write([]byte("first part"))
			_ = w.CloseWithError(broken)
		}()
		if _, err := (host.Exec{}).Run(t.Context(), host.Cmd{Argv: argv, Stdin: r}); !errors.Is(err, broken) {
			t.Errorf("%s: %v", argv, err)
		}
	}
	// One that ends by itself is no breach of the stream.
	r, w := io.Pipe()
	go func() {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}()
	_, err := host.Exec{}.Run(t.Context(), host.Cmd{Argv: []string{"ls", "/no such file"}, Stdin: r})
	_ = r.Close()
	if host.ExitCode(err) != 2 {
		t.Errorf("ls: %v", err)
	}
}

// TestLog: what a program writes goes to its log, and the end of that into the
// error.
func TestLog(t *testing.T) {
	t.Parallel()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	out, err := host.Exec{}.Run(t.Context(), host.Cmd{Argv: []string{"ls", "/etc/passwd", "/no such file"}, Log: log})
	if host.ExitCode(err) != 2 || !strings.Contains(err.Error(), "No such file") || len(out) > 0 {
		t.Errorf("ls: %q, %v", out, err)
	}
	if text, err := os.ReadFile(log.Name()); err != nil || !strings.Contains(string(text), "/etc/passwd") || !strings.Contains(string(text), "No such file") {
		t.Errorf("the log holds %q, %v", text, err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	got := host.CommandLine([]string{"a", "", "b c", "it's", "--x=$y"})
	if want := `a '' 'b c' 'it'\''s' '--x=$y'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNarrator(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	var told []string
	m.Programs["kubeadm"] = func([]string, string) (string, error) {
		if len(told) != 1 {
			t.Errorf("it ran before it was told: %q", told)
		}
		return "v1", nil
	}
	n := host.Narrator{Runner: h.Runner, Tell: func(line string) { told = append(told, line) }}
	out, err := n.Run(t.Context(), host.Cmd{Argv: []string{"kubeadm", "version", "-o", "a b"}, Stdin: strings.NewReader("a secret")})
	if err != nil || string(out) != "v1" || !slices.Equal(told, []string{"kubeadm version -o 'a b'"}) {
		t.Errorf("%q, %v, told %q", out, err, told)
	}
}

func TestStopwatch(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Programs["kubeadm"] = func([]string, string) (string, error) { time.Sleep(2 * time.Millisecond); return "", nil }
	w := &host.Stopwatch{Runner: h.Runner}
	for range 2 {
		if _, err := w.Run(t.Context(), host.Command("kubeadm", "version")); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Spent(); len(got) != 1 || got["kubeadm"] < 4*time.Millisecond {
		t.Errorf("spent %v", got)
	}
}
