package main

import (
	"io"
	"testing"
)

// TestFlagsKeepDefaults: verbs share the settings, and no flag of one changes
// what another takes where nothing is said.
func TestFlagsKeepDefaults(t *testing.T) {
	t.Parallel()
	a := newApp(io.Discard, io.Discard)
	a.root()
	if a.settings.Wait != 0 || a.settings.TicketTTL != ticketTTL || a.settings.NoSmoke || a.role != "" {
		t.Errorf("settings before any flag: %+v", a.settings)
	}
}
