package bundle

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra/nevratest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/store"
)

// TestRequireSpace: a lock that no disk holds is told before anything is fetched.
func TestRequireSpace(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var warned string
	report := func(e progress.Event) {
		if e.Kind == progress.Warn {
			warned = e.Text
		}
	}
	b := &builder{Sources: &Sources{store: s, report: report}, lock: &manifest.Lock{}, level: archive.Default}
	o := BuildOptions{Dir: t.TempDir()}
	if err := b.requireSpace(o); err != nil || warned != "" {
		t.Errorf("nothing: %v, %q", err, warned)
	}
	const most = 1 << 60
	b.lock.Packages = []manifest.LockedPackage{{NEVRA: nevratest.Parse("a-1-1.noarch"), Size: most, SHA256: strings.Repeat("a", 64)}}
	if err := b.requireSpace(o); !errors.Is(err, unix.ENOSPC) || !strings.Contains(hint.Of(err), "df -h "+o.Dir) {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	warning, err := archive.CheckTarget(o.Dir, 0, 0, most)
	if err != nil || !strings.Contains(warning, "df -h "+o.Dir) {
		t.Errorf("%q, %v", warning, err)
	}
	if _, err := archive.CheckTarget(o.Dir, -1, 0, 0); err == nil {
		t.Error("volumes of less than nothing")
	}
}
