package install

import (
	"strings"
	"testing"

	"kubecrate/pkg/progress"
)

// TestKept: a reset that left something does not say that all is as before.
func TestKept(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	u := &Undone{Bundle: "b"}
	told := 0
	report := u.hear(func(progress.Event) { told++ })
	report(progress.Event{Kind: progress.Done, Text: "as it was before"})
	if err := u.WriteText(&said); err != nil || !strings.HasSuffix(said.String(), "was installed\n") {
		t.Errorf("nothing kept: %q, %v", said.String(), err)
	}
	report(progress.Event{Kind: progress.Warn, Text: "chrony stays: ntp-tools needs it"})
	said.Reset()
	if err := u.WriteText(&said); err != nil || !strings.Contains(said.String(), "but for this:\n  chrony stays: ntp-tools needs it") || told != 2 {
		t.Errorf("kept: %q, %v, told %d", said.String(), err, told)
	}
	(&Undone{}).hear(nil)(progress.Event{Kind: progress.Warn})
}
