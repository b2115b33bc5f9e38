package main

import (
	"io"
	"strings"
	"testing"

	"kubecrate/pkg/cli"
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

// TestWrongUse: a wrong command line ends with 2, whether an archive is there or
// not, and names what was likely meant.
func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, says string }{
		{"verify /mnt/usb/x-amd64.tar.zst", "hint: ./install verify --archive /mnt/usb/x-amd64.tar.zst\n"},
		{"verify /mnt/usb/x-amd64.tar.zst.001", "--archive /mnt/usb/x-amd64.tar.zst.001\n"},
		{"preflight --role node --skip-preflight oss", `no check "oss" to skip, did you mean "os"?`},
		{"ticket --ttl -5s", "want a second or more"},
		{"ticket --ttl 0", "want a second or more"},
		{"smoke --wait 10", "missing unit"},
		{"run --role master --ticket-ttl -1h", "want a second or more"},
		{"--role node --wait -5s", "want a second or more"},
		{"--rol node", "did you mean --role?"},
		{"plan --role nod", "hint: ./install plan --help\n"},
	} {
		var out, err strings.Builder
		a := newApp(&out, &err)
		if code := cli.Run(a.root(), &a.out, strings.Fields(c.line)); code != cli.ExitUsage || !strings.Contains(err.String(), c.says) {
			t.Errorf("%s: %d, %s", c.line, code, err.String())
		}
	}
	for _, line := range []string{"version --output json", "--version --output json"} {
		var out strings.Builder
		a := newApp(&out, io.Discard)
		if code := cli.Run(a.root(), &a.out, strings.Fields(line)); code != cli.ExitDone || !strings.HasPrefix(out.String(), `{"kind":"version","time":"`) || !strings.Contains(out.String(), `"program":"install","version":"`) {
			t.Errorf("%s: %d, %q", line, code, out.String())
		}
	}
}
