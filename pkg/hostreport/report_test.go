package hostreport_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/media"
	"kubecrate/pkg/signedjson"
)

func now() time.Time {
	return time.Date(2020, 5, 1, 14, 0, 0, 999, time.FixedZone("CEST", 2*60*60))
}

// centos is a host of one interface.
func centos(t *testing.T) (*host.Host, *hosttest.Machine) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t, "/proc/sys/kernel/hostname", "master1\n", "/sys/class/dmi/id/product_uuid", "564D9C7E-1B2C-8A11-1D73-5E0D1A2B3C4D\n",
		"/etc/machine-id", "0123456789abcdef0123456789abcdef\n", "/sys/class/net/eth0/address", "52:54:00:A1:B2:C3\n", "/sys/class/net/eth0/operstate", "up\n")
	m.Programs["ip"] = says("2: eth0    inet 192.168.4.11/24 brd 192.168.4.255 scope global eth0\\\n")
	m.Programs["rpm"] = says("tzdata-0:2020a-1.el7.noarch\nbash-0:4.2.46-34.el7.x86_64\n")
	return h, m
}

func says(text string) hosttest.Program {
	return func([]string, string) (string, error) { return text, nil }
}

func read(t *testing.T, h *host.Host) *facts.Facts {
	t.Helper()
	f, err := facts.Read(t.Context(), h, facts.Options{Now: now(), Packages: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReports(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	stick := media.At(t.TempDir())
	dir := stick.Join("hosts")
	if list, err := hostreport.ReadAll(stick); len(list) != 0 || err != nil {
		t.Errorf("no directory: %v, %v", list, err)
	}
	first, err := hostreport.New(read(t, h), hostreport.Result{Node: "n"}).Write(stick)
	if err != nil || !strings.HasSuffix(first, "hosts/master1-a1b2c3.json") {
		t.Fatal(first, err)
	}
	// Another host of the same name has its own report.
	m.Write(t, "/sys/class/net/eth0/address", "52:54:00:00:00:01\n", "/sys/class/dmi/id/product_uuid", "x\n")
	if _, err := hostreport.New(read(t, h), hostreport.Result{Node: "n"}).Write(stick); err != nil {
		t.Fatal(err)
	}
	// The first under another name replaces its report, whatever lies in the way.
	m.Write(t, "/sys/class/net/eth0/address", "52:54:00:a1:b2:c3\n", "/sys/class/dmi/id/product_uuid", "564d9c7e-1b2c-8a11-1d73-5e0d1a2b3c4d\n", "/proc/sys/kernel/hostname", "Node_1.lan\n")
	victim := t.TempDir() + "/victim"
	if err := os.WriteFile(victim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, dir+"/.node-1.lan-a1b2c3.json.new"); err != nil {
		t.Fatal(err)
	}
	if _, err := hostreport.New(read(t, h), hostreport.Result{Node: "n"}).Write(stick); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "x" {
		t.Errorf("it wrote through a link: %q, %v", text, err)
	}
	for name, text := range map[string]string{
		"bad.json": "{", "old.json": `{"apiVersion":"kubecrate/v2","kind":"Facts"}`, "._x.json": "x", "x.txt": "x",
		"name.json": `{"apiVersion":"kubecrate/v1","kind":"Facts","hostname":"a\u001b[2J"}`, "big.json": strings.Repeat(" ", 2<<20),
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, bad := hostreport.ReadAll(stick)
	var names []string
	for _, f := range list {
		names = append(names, f.Hostname)
		if len(f.Packages) != 0 {
			t.Error("packages are kept")
		}
	}
	if strings.Join(names, " ") != "master1 Node_1.lan" {
		t.Errorf("sheets of %v", names)
	}
	said := errors.Join(bad...).Error()
	for _, name := range []string{"bad.json", "old.json", "name.json", "big.json"} {
		if !strings.Contains(said, name) {
			t.Errorf("%s is not named: %v", name, said)
		}
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("../facts/testdata/centos7.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	// Each process that fuzzes has to know the key.
	signer, err := signedjson.ParseSigner([]byte(`{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","since":"2020-05-01T12:00:00Z"}`))
	if err != nil {
		f.Fatal(err)
	}
	report, err := hostreport.Parse(text)
	if err != nil || report.Sign(signer) != nil {
		f.Fatal(err)
	}
	if text, err = report.Marshal(); err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := hostreport.Parse(data)
		if err != nil {
			return
		}
		if report.Signed() && report.Key != signer.Key() {
			t.Errorf("who signed %q?", data)
		}
		// What a later kubecrate has added is gone, and so is its signature's worth.
		if report.Signed() && report.Sign(signer) != nil {
			return
		}
		report.MACs()
		if !json.Valid(data) || strings.ContainsAny(report.Hostname, "\x1b\n ") {
			t.Errorf("taken: %q", data)
		}
		text, err := report.Marshal()
		if err != nil {
			return // a year that JSON does not hold
		}
		if _, err := hostreport.Parse(text); err != nil && len(text) < 1<<20 {
			t.Errorf("what was read cannot be read again: %v", err)
		}
		if _, _, err := facts.AddressOf(&report.Facts, nil, ""); err != nil && hint.Of(err) == "" {
			t.Errorf("no hint: %v", err)
		}
	})
}
