package hostreport_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/media"
)

// hostile is the beginning of a sheet that goes on without an end.
const hostile = `{"apiVersion":"kubecrate/v1","kind":"Facts","hostname":"n%d","time":"2020-01-01T00:00:00Z","os":{},"kernel":"","arch":"amd64","cpus":1,"memory":1,"swap":0,%s`

// sheet is one of about a megabyte whose list holds item again and again.
func sheet(k int, list string, item func(i int) string) []byte {
	const most = 1<<20 - 64
	b := fmt.Appendf(nil, hostile, k, list+"[")
	for i := 0; len(b) < most; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item(i)...)
	}
	return append(b, "]}"...)
}

func hostileSheets(k int) map[string][]byte {
	return map[string][]byte{
		"interfaces": sheet(k, `"interfaces":`, func(i int) string { return fmt.Sprintf(`{"name":"e","mac":"%x"}`, k<<20+i) }),
		"empty":      sheet(k, `"interfaces":`, func(int) string { return "{}" }),
		"nested":     sheet(k, `"interfaces":`, func(int) string { return "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]" }),
		"addresses":  sheet(k, `"interfaces":`, func(int) string { return `{"name":"e","addresses":[{"prefix":"10.0.0.1/8","scope":"global"}]}` }),
		"routes":     sheet(k, `"routes":`, func(int) string { return `{"interface":"e","destination":"10.0.0.0/8"}` }),
		"packages":   sheet(k, `"packages":`, func(int) string { return `"a-1-1.x"` }),
		"one word":   fmt.Appendf(nil, hostile, k, `"timezone":"`+strings.Repeat("x", 1<<19)+`"}`),
		"a number":   fmt.Appendf(nil, hostile, k, `"x":`+strings.Repeat("9", 1<<19)+`}`),
		"unknown":    sheet(k, `"later":`, func(int) string { return "0" }),
	}
}

// TestHostileSheets: none is taken, and none is decoded: what counting it costs
// is a few allocations.
func TestHostileSheets(t *testing.T) {
	const few = 100
	for what, text := range hostileSheets(1) {
		if _, err := hostreport.Parse(text); err == nil {
			t.Errorf("%s is taken", what)
		}
		if n := testing.AllocsPerRun(1, func() { _, _ = hostreport.Parse(text) }); n > few {
			t.Errorf("%s costs %.0f allocations", what, n)
		}
	}
}

// TestManySheets: a directory of more files than are read is one error.
func TestManySheets(t *testing.T) {
	t.Parallel()
	stick := media.At(t.TempDir())
	dir := stick.Join(hostreport.Dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	large := hostileSheets(1)["empty"]
	const files = 4096
	for k := range files {
		name := fmt.Sprintf("%s/n%04d.json", dir, k)
		var err error
		if k == 0 {
			err = os.WriteFile(name, large, 0o644)
		} else {
			err = os.Link(dir+"/n0000.json", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list, bad := hostreport.ReadAll(stick)
	if len(list) != 0 || len(bad) < 3 || len(bad) > 40 {
		t.Fatalf("%d sheets, %d errors", len(list), len(bad))
	}
	if !strings.Contains(bad[0].Error(), "too many files") || !strings.Contains(bad[len(bad)-1].Error(), "are ignored") {
		t.Errorf("%v ... %v", bad[0], bad[len(bad)-1])
	}
}

// TestKnownHostsBounded: however many sheets claim to be however many hosts, what
// is kept has a fixed size, and those that were known first stay known.
func TestKnownHostsBounded(t *testing.T) {
	t.Parallel()
	k := &hostreport.KnownHosts{}
	first := claim(0)
	if !k.Learn(first) {
		t.Fatal("the first is not kept")
	}
	for i := 1; i < 3*hostreport.MaxKnown; i++ {
		k.Learn(claim(i))
	}
	text, err := k.Marshal()
	const each = 1024 // bytes
	if err != nil || len(text) > hostreport.MaxKnown*each {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	again, err := hostreport.ParseKnownHosts(text)
	if err != nil {
		t.Fatal(err)
	}
	other := *first
	other.Key = "another"
	if again.Mismatch(&other) == "" || again.Mismatch(first) != "" {
		t.Errorf("the first: %q, %q", again.Mismatch(&other), again.Mismatch(first))
	}
	if both, err := again.Marshal(); err != nil || string(both) != string(text) {
		t.Errorf("written again it differs: %v", err)
	}
}

// claim is the report of a host with many hardware addresses, one of which every
// host claims.
func claim(i int) *hostreport.Report {
	f := &hostreport.Report{Key: "key", KeySince: now().AddDate(-1, 0, 0)}
	f.Facts = facts.Facts{Hostname: fmt.Sprintf("n%d", i), ProductUUID: fmt.Sprint("uuid", i), MachineID: fmt.Sprint("machine", i), Time: now()}
	f.Interfaces = append(f.Interfaces, facts.Interface{Name: "e", MAC: "52:54:00:00:00:01"})
	for n := range 200 {
		f.Interfaces = append(f.Interfaces, facts.Interface{Name: fmt.Sprint("e", n), MAC: fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", i>>8, i&0xff, n>>8, n&0xff)})
	}
	return f
}

// BenchmarkParseHostile: a megabyte that is refused.
func BenchmarkParseHostile(b *testing.B) {
	for what, text := range hostileSheets(1) {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = hostreport.Parse(text)
			}
		})
	}
}

// BenchmarkKnownHosts: as many hosts as are kept, each compared with all others.
func BenchmarkKnownHosts(b *testing.B) {
	var list []*hostreport.Report
	for i := range hostreport.MaxKnown {
		list = append(list, claim(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		k := &hostreport.KnownHosts{}
		for _, f := range list {
			_ = k.Mismatch(f)
			k.Learn(f)
		}
	}
}
