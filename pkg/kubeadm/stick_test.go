package kubeadm

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// TestTicketOnBadStick: whatever lies in the ticket's place is replaced by a
// master and left by a reset, and neither waits for it, follows it or reads it
// without an end.
func TestTicketOnBadStick(t *testing.T) {
	t.Parallel()
	for what, lay := range map[string]func(path, victim string) error{
		"a pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o644) },
		"an endless link": func(path, _ string) error { return os.Symlink("/dev/zero", path) },
		"a link":          func(path, victim string) error { return os.Symlink(victim, path) },
		"a large file":    func(path, _ string) error { return os.WriteFile(path, make([]byte, manifest.MaxTicket+1), 0o644) },
	} {
		w := withStick(t)
		at, victim := w.h.Path(stickFile), filepath.Join(t.TempDir(), "victim")
		again := func() {
			_ = os.Remove(at) // there is none before the first ticket
			if err := errors.Join(os.WriteFile(victim, []byte("x"), 0o600), lay(at, victim)); err != nil {
				t.Fatal(err)
			}
		}
		again()
		o := ticketOptions()
		st := w.check(Ticket(o))
		if st.State != step.ToDo || !strings.Contains(strings.Join(st.Warnings, "\n"), "/mnt/usb/join.yaml is replaced: ") {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(Ticket(o)); err != nil || w.ticket(stickFile).Token == "" {
			t.Fatalf("%s: %v", what, err)
		}
		if info, err := os.Lstat(at); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", what, info.Mode(), err)
		}
		again()
		ended := &Revocation{}
		if err := w.run(Revoke(o, ended)); err != nil || len(ended.Tokens) != 1 || !strings.Contains(strings.Join(ended.Left, "\n"), "/mnt/usb/join.yaml cannot be read and is kept") {
			t.Errorf("%s, revoked: %+v, %v", what, ended, err)
		}
		if err := w.run(Renew(o)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		again()
		var said []string
		w.hear = func(e progress.Event) { said = append(said, e.Text) }
		if err := w.undo(Ticket(o)); err != nil || !strings.Contains(strings.Join(said, "\n"), "/mnt/usb/join.yaml is kept: ") {
			t.Errorf("%s, undone: %v, said %q", what, err, said)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "x" {
			t.Errorf("%s: behind the link is %q, %v", what, text, err)
		}
	}
}

// TestTicketOnTwoSticks: each stick on which a master left its ticket is in the
// journal, and a reset removes the copies from all of them.
func TestTicketOnTwoSticks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	const second = "/media/second/join.yaml"
	w.m.Write(t, path.Dir(stickFile)+"/x", "", path.Dir(second)+"/x", "")
	for _, stick := range []string{stickFile, second, second, stickFile} {
		o := ticketOptions()
		o.Stick = stick
		if err := w.run(Ticket(o)); err != nil {
			t.Fatal(err)
		}
	}
	if w.ticket(stickFile).Token != w.ticket(second).Token {
		t.Error("the sticks have different tickets")
	}
	text := w.m.Read(t, step.Dir+"/journal.jsonl")
	for _, stick := range []string{stickFile, second} {
		if n := strings.Count(text, `{"begin":"ticket","params":{"stick":"`+stick+`"}}`+"\n"); n != 1 {
			t.Errorf("%s is noted %d times:\n%s", stick, n, text)
		}
	}
	if err := w.undo(Ticket(ticketOptions())); err != nil || w.m.Read(t, stickFile)+w.m.Read(t, second)+w.m.Read(t, TicketFile) != "" {
		t.Errorf("undone: %v; left %q, %q, %q", err, w.m.Read(t, stickFile), w.m.Read(t, second), w.m.Read(t, TicketFile))
	}
}
