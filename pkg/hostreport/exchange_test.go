package hostreport

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// visit is a host of an address, a MAC and a name with the stick, and what it is told.
func visit(t *testing.T, stick, address, mac, name string) (*Exchange, *string) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t, "/proc/sys/kernel/hostname", name+"\n", "/sys/class/net/eth0/address", mac+"\n", "/sys/class/net/eth0/operstate", "up\n")
	m.Programs["ip"] = func([]string, string) (string, error) {
		return "2: eth0    inet " + address + "/24 brd 192.168.4.255 scope global eth0\\\n", nil
	}
	return visitor(t, h, stick)
}

func visitor(t *testing.T, h *host.Host, stick string) (*Exchange, *string) {
	t.Helper()
	self, err := facts.Read(t.Context(), h, facts.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	said := new(string)
	return NewExchange(Options{
		Stick: stick, Host: h, Self: self, VIP: "192.168.4.90", Now: time.Now,
		Report: func(e progress.Event) { *said += string(e.Kind) + " " + e.Text + "\n" },
		Keep: func(path string, text []byte) error {
			return errors.Join(os.MkdirAll(h.Path(step.Dir), 0o700), os.WriteFile(h.Path(path), text, 0o600))
		},
	}), said
}

func (x *Exchange) begin() {
	x.Begin(Result{Node: x.Self.Hostname, Says: "the installation is under way"})
}

func onStick(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(dir + "/hosts/*")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// TestExchange: what a host leaves on the stick is what the next one reads.
func TestExchange(t *testing.T) {
	t.Parallel()
	stick := t.TempDir()
	first, said := visit(t, stick, "192.168.4.90", "52:54:00:00:00:01", "fresh")
	if first.Others(); onStick(t, stick) != nil {
		t.Error("who looks writes nothing")
	}
	first.begin()
	if got := onStick(t, stick); len(got) != 1 || got[0] != "fresh-000001.json" {
		t.Fatalf("on the stick: %v", got)
	}
	if err := first.KeepKey(); err != nil {
		t.Fatal(err)
	}
	if there, err := first.Host.Exists(keyFile); err != nil || !there {
		t.Errorf("the key: %v, %v", there, err)
	}
	first.Finish(t.Context(), Result{Bundle: "k-amd64", Role: "node", Node: "node7", Says: "it failed"})

	second, also := visit(t, stick, "192.168.4.22", "52:54:00:00:00:02", "node7")
	others := second.Others()
	if len(others) != 1 || others[0].Hostname != "node7" || len(others[0].Addresses()) != 0 {
		t.Fatalf("seen: %+v (%s)", others, *also)
	}
	if r := second.others[0]; !r.Signed() || *r.Result != (Result{Bundle: "k-amd64", Role: "node", Node: "node7", Says: "it failed"}) {
		t.Errorf("%+v", r)
	}
	second.begin()
	second.Finish(t.Context(), Result{Node: "node7", Ready: true, Says: "Ready"})
	if err := second.KeepKey(); err != nil {
		t.Fatal(err)
	}
	if *said != "" || *also != "" || len(onStick(t, stick)) != 2 {
		t.Errorf("said %q and %q, on the stick %v", *said, *also, onStick(t, stick))
	}
	Withdraw(t.Context(), second.Host, stick, second.Report)
	if got := onStick(t, stick); len(got) != 1 || got[0] != "fresh-000001.json" {
		t.Errorf("after a reset: %v", got)
	}
	Withdraw(t.Context(), second.Host, "", second.Report)
	Withdraw(t.Context(), second.Host, t.TempDir(), second.Report)
	if *also != "" {
		t.Errorf("said %q", *also)
	}
}

// TestNoStick: without one nothing is read, written or said.
func TestNoStick(t *testing.T) {
	t.Parallel()
	x, said := visit(t, "", "192.168.4.22", "52:54:00:00:00:02", "a")
	x.begin()
	x.Release(t.Context(), Result{})
	x.Finish(t.Context(), Result{})
	if err := x.KeepKey(); err != nil || x.Others() != nil || *said != "" {
		t.Errorf("%v, said %q", err, *said)
	}
}

// TestSentence: it is one line, has no secret in it, and an end.
func TestSentence(t *testing.T) {
	t.Parallel()
	got := Sentence(errors.New("cannot do step join: token abcdef.0123456789abcdef is\twrong\nmore"))
	if got != "cannot do step join: token (redacted) is wrong" {
		t.Error(got)
	}
	if got := Sentence(errors.New(strings.Repeat("ä", maxSays))); len(got) > maxSays {
		t.Errorf("%d bytes", len(got))
	}
}

// signedBy is a report by another key.
func signedBy(t *testing.T, text []byte, x *Exchange) []byte {
	t.Helper()
	r, err := Parse(text)
	if err == nil {
		err = r.Sign(x.signer)
	}
	if err == nil {
		text, err = r.Marshal()
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// altered are copies of a report, changed on the way: without its signature, and
// of a later time by the key of other.
func altered(t *testing.T, good []byte, other *Exchange) (bare, resigned []byte) {
	t.Helper()
	r, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	r.Key, r.Signature = "", ""
	if bare, err = r.Marshal(); err != nil {
		t.Fatal(err)
	}
	r.Time = r.Time.AddDate(1, 0, 0)
	if resigned, err = r.Marshal(); err != nil {
		t.Fatal(err)
	}
	return bare, signedBy(t, resigned, other)
}

// TestExchangeMismatch: what was changed on the way is told, and never an error.
func TestExchangeMismatch(t *testing.T) {
	t.Parallel()
	stick := t.TempDir()
	first, _ := visit(t, stick, "192.168.4.91", "52:54:00:00:00:01", "a")
	first.begin()
	path, ownPath := stick+"/hosts/a-000001.json", stick+"/hosts/b-000002.json"
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen, _ := visit(t, stick, "192.168.4.92", "52:54:00:00:00:02", "b")
	seen.begin()
	if err := seen.KeepKey(); err != nil {
		t.Fatal(err)
	}
	other, _ := visit(t, stick, "192.168.4.93", "52:54:00:00:00:03", "c")
	other.Others()
	other.signer.Since = first.signer.Since.AddDate(-1, 0, 0)
	bare, resigned := altered(t, good, other)
	for what, v := range map[string]struct {
		text []byte
		seen int
		says string
	}{
		"nothing":     {good, 1, ""},
		"a bit":       {[]byte(strings.Replace(string(good), "192.168.4.91", "192.168.4.90", 1)), 0, "a-000001.json: invalid signature"},
		"half of it":  {good[:len(good)/2], 0, "a-000001.json: not a host report"},
		"no signer":   {bare, 1, "(a-000001.json) is not signed, but an earlier one of that host from"},
		"another key": {resigned, 1, "signed with another key"},
	} {
		write(t, path, v.text)
		x, said := visitor(t, seen.Host, stick)
		if got := len(x.Others()); got != v.seen || !strings.Contains(*said, v.says) || v.says == "" && *said != "" {
			t.Errorf("%s: %d reports, %q", what, got, *said)
		}
		if x.Others(); strings.Count(*said, "a-000001.json") > 2 {
			t.Errorf("%s is told twice: %q", what, *said)
		}
	}
	// Its own report, by somebody else.
	write(t, path, good)
	mine, err := os.ReadFile(ownPath)
	if err != nil {
		t.Fatal(err)
	}
	write(t, ownPath, signedBy(t, mine, other))
	x, said := visitor(t, seen.Host, stick)
	if x.Others(); !strings.Contains(*said, "hosts/b-000002.json is about this host but not signed with its key") {
		t.Errorf("its own: %q", *said)
	}
	write(t, x.Host.Path(keyFile), []byte("x"))
	write(t, x.Host.Path(knownFile), []byte("x"))
	if x, said = visitor(t, seen.Host, stick); len(x.Others()) != 1 || !strings.Contains(*said, "a new one replaces it") || !strings.Contains(*said, "known hosts") {
		t.Errorf("damaged files: %q", *said)
	}
}

// TestExchangeMany: of very many reports with something wrong only a few are told.
func TestExchangeMany(t *testing.T) {
	t.Parallel()
	stick := t.TempDir()
	if err := os.Mkdir(stick+"/hosts", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range "abcdefgh" {
		write(t, stick+"/hosts/bad"+string(c)+".json", []byte("{"))
		write(t, stick+"/hosts/"+string(c)+".json", []byte(`{"apiVersion":"kubecrate/v1","kind":"Facts","hostname":"`+string(c)+`","time":"2020-01-01T00:00:00Z","os":{},"interfaces":[{"name":"e","mac":"52:54:00:00:01:0`+string(c)+`"}]}`))
	}
	x, said := visit(t, stick, "192.168.4.93", "52:54:00:00:00:03", "z")
	if n := len(x.Others()); n != 8 || !strings.Contains(*said, "and 4 more like this") || !strings.Contains(*said, "a.json, b.json, c.json, d.json and 4 more in "+stick+"/hosts") {
		t.Errorf("%d, %q", n, *said)
	}
}

// TestExchangeNoPlace: a stick that cannot be written, or that is another one by
// now, is told once and stops nothing.
func TestExchangeNoPlace(t *testing.T) {
	t.Parallel()
	stick := t.TempDir()
	write(t, stick+"/hosts", []byte("in the way"))
	x, said := visit(t, stick, "192.168.4.91", "52:54:00:00:00:01", "a")
	x.begin()
	x.Finish(t.Context(), Result{Node: "a"})
	if strings.Count(*said, "cannot write this host's report to the stick") != 1 {
		t.Errorf("%q", *said)
	}

	stick = filepath.Join(t.TempDir(), "usb")
	if err := os.Mkdir(stick, 0o755); err != nil {
		t.Fatal(err)
	}
	x, said = visit(t, stick, "192.168.4.91", "52:54:00:00:00:01", "a")
	x.begin()
	x.Release(t.Context(), Result{Node: "a", Says: "it waits for its master"})
	if err := errors.Join(os.Rename(stick, stick+".away"), os.Mkdir(stick, 0o755)); err != nil { // the mount point
		t.Fatal(err)
	}
	x.Finish(t.Context(), Result{Node: "a"})
	if onStick(t, stick) != nil || strings.Contains(*said, "warn") || !strings.Contains(*said, "is not on the stick") {
		t.Errorf("on the host's own disk: %v, said %q", onStick(t, stick), *said)
	}
	list, bad := ReadAll(media.At(stick + ".away"))
	if bad != nil || len(list) != 1 || list[0].Result.Says != "it waits for its master" {
		t.Errorf("%+v, %v", list, bad)
	}
}

// TestReportsElsewhere: reports are never written, read or removed behind a link.
func TestReportsElsewhere(t *testing.T) {
	t.Parallel()
	stick, victim := t.TempDir(), t.TempDir()
	first, _ := visit(t, stick, "192.168.4.91", "52:54:00:00:00:01", "a")
	first.begin()
	of := filepath.Join(victim, "of")
	if err := errors.Join(os.Rename(stick+"/"+Dir, of), os.Symlink(of, stick+"/"+Dir)); err != nil {
		t.Fatal(err)
	}
	x, said := visit(t, stick, "192.168.4.91", "52:54:00:00:00:01", "b")
	x.begin()
	x.Finish(t.Context(), Result{Node: "b"})
	Withdraw(t.Context(), x.Host, stick, x.Report)
	entries, err := os.ReadDir(of)
	if err != nil || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "a-000001.json" }) || len(entries) != 1 {
		t.Errorf("behind the link: %v, %v", entries, err)
	}
	if !strings.Contains(*said, "symbolic link") {
		t.Errorf("said %q", *said)
	}
	if _, err := os.Readlink(stick + "/" + Dir); err != nil {
		t.Errorf("the link: %v", err)
	}
}
