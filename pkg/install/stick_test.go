package install

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/media"
)

// TestStickOfPipes: a pipe in place of any file on the stick is an error that
// names it, and nothing waits for it.
func TestStickOfPipes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{target.ClusterFile, ticketName, "identity.age"} {
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
			s, err := c.look(t, target.Request{Role: manifest.Node}, nil, "192.168.4.21", "", "node1")
			if name == ticketName && err == nil {
				err = s.target.Ticket.Err // told by preflight, with all else
			}
			var used *media.Error
			if !errors.As(err, &used) || used.Path != c.path(name) || !strings.Contains(hint.Of(err), name) {
				t.Errorf("%s in place of %s: %v (%s)", what, name, err, hint.Of(err))
			}
		}
	}
}
