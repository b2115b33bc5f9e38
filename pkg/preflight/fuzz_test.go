package preflight

import (
	"strings"
	"testing"
)

func TestParseListeners(t *testing.T) {
	t.Parallel()
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BDA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 79322 2 0000000052db0d0b 100 0 0 10 0
   1: 0B04A8C0:192B 0C04A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 91856 2 000000002e4da1f5 100 0 0 10 0
   2: 00000000:1FFFF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 2
`
	got := parseListeners(text)
	if len(got) != 1 || got[0] != (listener{3034, "79322"}) {
		t.Errorf("%v", got)
	}
}

func FuzzParseListeners(f *testing.F) {
	f.Add("   0: 0100007F:B405 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 79322 2 0000000052db0d0b 100 0 0 10 0\n")
	f.Add("   1: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4711 1 f 100 0 0 10 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range parseListeners(text) {
			if l.port < 0 || l.port > 65535 || strings.ContainsAny(l.inode, " \n") {
				t.Errorf("%+v", l)
			}
		}
		cgroupEnabled(text, "memory")
	})
}
