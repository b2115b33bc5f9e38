package bundle

import (
	"os"
	"strings"
	"testing"
)

// TestNext: what was written to a stick is not to be copied to one.
func TestNext(t *testing.T) {
	t.Parallel()
	for onStick, want := range map[bool]string{
		true:  "next: unmount the stick before you unplug it; on each host: sha256sum",
		false: "next: copy these files to the stick; on each host: sha256sum",
	} {
		var b strings.Builder
		if err := (&Result{onStick: onStick}).WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "\n"+want) || strings.Count(b.String(), "next: ") != 1 {
			t.Errorf("on a stick %v: %s", onStick, b.String())
		}
	}
	if isMounted(".") || isMounted("/") {
		t.Error("the disk that this runs on is no stick")
	}
	if _, err := os.Stat("/proc/self"); err == nil && !isMounted("/proc") {
		t.Error("/proc has a file system of its own, as a stick has")
	}
}
