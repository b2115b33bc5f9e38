package install

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/step"
)

// asNobody runs f while this thread reads files as a user who owns none.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// TestPlainUser: who may not look into the directory of an earlier run gets a
// plan, the checks and the archive's description all the same, and is told what
// was not seen.
func TestPlainUser(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	x.stay(manifest.Master)
	const closed, private, public = 0o000, 0o700, 0o755
	dir := x.h.Path(step.Dir)
	for _, d := range []string{filepath.Dir(x.h.Root), filepath.Dir(l.stick)} {
		if err := os.Chmod(d, public); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, closed); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Chmod(dir, private); err != nil {
			t.Error(err)
		}
	}()
	o := x.planRequest(manifest.Master)
	o.Caller.EUID = 1000
	asNobody(t, func() {
		if _, err := x.h.ReadFile(stateFile); !os.IsPermission(err) {
			t.Fatalf("the directory can be read: %v", err)
		}
		p, err := MakePlan(t.Context(), x.h, o)
		if err != nil || p.Bundle == "" || len(p.Steps) == 0 || p.Err() == nil {
			t.Errorf("%+v, %v", p, err)
		}
		_, closer, who, err := OpenArchive(x.h, o.Media, o.Caller.Report)
		if err != nil {
			t.Fatal(err)
		}
		if err := closer.Close(); err != nil || !strings.Contains(who.Text(), "reading it needs root") {
			t.Errorf("%s, %v", who.Text(), err)
		}
	})
	if !strings.Contains(strings.Join(x.warnings(), "\n"), "only root can") {
		t.Errorf("it warns of %v", x.warnings())
	}
}
