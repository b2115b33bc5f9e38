package install

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// TestStickOfPipes: a pipe in place of any file on the stick is an error that
// names it, and nothing waits for it.
func TestStickOfPipes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{clusterName, ticketName, "identity.age"} {
		for what, lay := range map[string]func(path string) error{
			"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o644) },
			"a link": func(path string) error { return os.Symlink("/dev/zero", path) },
			"large":  func(path string) error { return os.WriteFile(path, make([]byte, manifest.MaxSize+1), 0o644) },
		} {
			if what == "large" && name == "identity.age" {
				continue // it is read where the passphrase is known
			}
			c := stickWith(t, nil)
			if err := os.Remove(c.path(name)); err != nil {
				t.Fatal(err)
			}
			if err := lay(c.path(name)); err != nil {
				t.Fatal(err)
			}
			s, err := c.look(t, Settings{Role: manifest.Node}, nil, "192.168.4.21", "", "node1")
			if name == ticketName && err == nil {
				err = s.ticketErr // told by preflight, with all else
			}
			var used *media.Error
			if !errors.As(err, &used) || used.Path != c.path(name) || !strings.Contains(hint.Of(err), name) {
				t.Errorf("%s in place of %s: %v (%s)", what, name, err, hint.Of(err))
			}
		}
	}
}

// TestHostsElsewhere: sheets are never written, read or removed behind a link.
func TestHostsElsewhere(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	first, _ := c.visit(t, "192.168.4.91", "52:54:00:00:00:01", "a")
	first.arrive()
	victim := t.TempDir()
	if err := os.Rename(c.path(facts.SheetsDir), filepath.Join(victim, "of")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(victim, "of"), c.path(facts.SheetsDir)); err != nil {
		t.Fatal(err)
	}
	s, said := c.visit(t, "192.168.4.91", "52:54:00:00:00:01", "b")
	s.arrive()
	s.depart(t.Context(), nil)
	withdraw(t.Context(), s.host, s.Settings)
	entries, err := os.ReadDir(filepath.Join(victim, "of"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "a-000001.json" {
		t.Errorf("behind the link: %v, %v", entries, err)
	}
	if !strings.Contains(*said, "symbolic link") {
		t.Errorf("said %q", *said)
	}
	if _, err := os.Readlink(c.path(facts.SheetsDir)); err != nil {
		t.Errorf("the link: %v", err)
	}
}
