package hostreport_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/media"
	"kubecrate/pkg/signedjson"
)

func newSigner(t testing.TB) *signedjson.Signer {
	t.Helper()
	s, err := signedjson.NewSigner(now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSign: what was changed on the way is noticed, bit by bit, and what nobody
// signed is known as that.
func TestSign(t *testing.T) {
	t.Parallel()
	h, _ := centos(t)
	f, s := hostreport.New(read(t, h), hostreport.Result{Bundle: "k-amd64", Role: "node", Node: "node1", Says: "step join failed"}), newSigner(t)
	f.Packages, f.Disks = f.Packages[:1], nil
	if err := f.Sign(s); err != nil {
		t.Fatal(err)
	}
	text, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := hostreport.Parse(text)
	if err != nil || !got.Signed() || got.Key != s.Key() || !got.KeySince.Equal(s.Since) || *got.Result != *f.Result {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			if got, err := hostreport.Parse(bad); err == nil {
				t.Fatalf("byte %d, bit %d is not noticed: %+v", i, bit, got)
			}
		}
	}
	changed := strings.Replace(string(text), "192.168.4.11", "192.168.4.99", 1)
	if _, err := hostreport.Parse([]byte(changed)); !errors.Is(err, signedjson.ErrSignature) {
		t.Errorf("another address: %v", err)
	}
	f.Key, f.Signature = "", ""
	if text, err = f.Marshal(); err != nil {
		t.Fatal(err)
	}
	if got, err := hostreport.Parse(text); err != nil || got.Signed() {
		t.Errorf("one that is not signed: %v", err)
	}
	f.Result.Node = "a\x1b[2J"
	if text, err = f.Marshal(); err != nil {
		t.Fatal(err)
	}
	if _, err := hostreport.Parse(text); err == nil {
		t.Error("a name that no terminal should show")
	}
}

// knowing are the known hosts of one that has seen f.
func knowing(t *testing.T, f *hostreport.Report) *hostreport.KnownHosts {
	t.Helper()
	k := &hostreport.KnownHosts{}
	if !k.Learn(f) {
		t.Fatal("it is not kept")
	}
	return k
}

// report is one that h leaves.
func report(t *testing.T, h *host.Host) *hostreport.Report {
	t.Helper()
	return hostreport.New(read(t, h), hostreport.Result{Node: "n"})
}

func TestMismatch(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	f := report(t, h)
	if err := f.Sign(newSigner(t)); err != nil {
		t.Fatal(err)
	}
	before := knowing(t, f)
	other := report(t, h)
	if got := before.Mismatch(other); !strings.Contains(got, "master1 is not signed") {
		t.Errorf("not signed any more: %q", got)
	}
	young, err := signedjson.NewSigner(now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Sign(young); err != nil {
		t.Fatal(err)
	}
	if got := before.Mismatch(other); got != "" {
		t.Errorf("after a reset: %q", got)
	}
	old, err := signedjson.NewSigner(now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Sign(old); err != nil {
		t.Fatal(err)
	}
	if got := before.Mismatch(other); !strings.Contains(got, "signed with another key") {
		t.Errorf("another key: %q", got)
	}
	if before.Mismatch(f) != "" || new(hostreport.KnownHosts).Mismatch(other) != "" {
		t.Error("doubt without a reason")
	}
	m.Write(t, "/sys/class/net/eth0/address", "52:54:00:00:00:01\n")
	if got := before.Mismatch(report(t, h)); got != "" {
		t.Errorf("another machine: %q", got)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	dir := media.At(t.TempDir())
	f := read(t, h)
	if err := hostreport.Remove(f, dir); err != nil {
		t.Errorf("where nothing is: %v", err)
	}
	if _, err := hostreport.New(f, hostreport.Result{Node: "n"}).Write(dir); err != nil {
		t.Fatal(err)
	}
	m.Write(t, "/sys/class/net/eth0/address", "52:54:00:00:00:01\n", "/etc/machine-id", "x\n")
	other := read(t, h)
	path, err := hostreport.New(other, hostreport.Result{Node: "n"}).Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := hostreport.Remove(f, dir); err != nil {
		t.Fatal(err)
	}
	if list, err := hostreport.ReadAll(dir); err != nil || len(list) != 1 || !strings.HasSuffix(path, list[0].File()) {
		t.Errorf("%v, %v", list, err)
	}
	if err := hostreport.Remove(other, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir.Join("hosts")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}
