package rpmtest_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

var when = time.Date(2020, 3, 13, 0, 0, 0, 0, time.UTC)

func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("KUBECRATE_LAB") == "1" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
}

func TestBuildDeterministic(t *testing.T) {
	t.Parallel()
	for _, o := range []rpmtest.SignerOptions{{}, {EdDSA: true}} {
		s, err := rpmtest.NewSignerWith("test", when, o)
		if err != nil {
			t.Fatal(err)
		}
		spec := rpmtest.Spec{
			Name: "foo", Version: "1", Payload: 100_000, Provides: []nevra.Relation{{Name: "x"}},
			Files: map[string][]byte{"/etc/a": nil, "/etc/b": []byte("b"), "/usr/bin/c": []byte("c"), "/etc/d/": nil},
		}
		a, err := rpmtest.Build(spec, s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := rpmtest.Build(spec, s)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%+v: two builds differ (%v)", o, err)
		}
		if len(a) < 100_000 {
			t.Errorf("package of %d bytes with a payload of 100000", len(a))
		}
	}
}

// TestSignerRand: the same source of randomness gives the same key.
func TestSignerRand(t *testing.T) {
	t.Parallel()
	var prints []string
	for range 3 {
		s, err := rpmtest.NewSignerWith("test", when, rpmtest.SignerOptions{EdDSA: true, Rand: rand.NewChaCha8([32]byte{1})})
		if err != nil {
			t.Fatal(err)
		}
		prints = append(prints, s.Fingerprint())
	}
	if prints[0] != prints[1] || prints[1] != prints[2] {
		t.Errorf("keys differ: %v", prints)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for _, spec := range []rpmtest.Spec{{}, {Name: "a"}, {Version: "1"}, {Name: "a", Version: "1", Epoch: "x"}} {
		if _, err := rpmtest.Build(spec, nil); err == nil {
			t.Errorf("%+v: built", spec)
		}
	}
}

// TestBuildAcceptedByRPM has the real rpm verify, query and install what Build
// writes.
func TestBuildAcceptedByRPM(t *testing.T) {
	t.Parallel()
	tool(t, "rpm")
	tool(t, "rpmkeys")
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, append([]string{"--root", dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run("rpm", "--initdb")
	for _, c := range []struct {
		name, signature string
		options         *rpmtest.SignerOptions
	}{
		{"rsa", "V4 RSA/SHA256 Signature", &rpmtest.SignerOptions{}},
		{"eddsa", "V4 EdDSA/SHA256 Signature", &rpmtest.SignerOptions{EdDSA: true}},
		{"unsigned", "MD5 digest", nil},
	} {
		var signer *rpmtest.Signer
		if c.options != nil {
			var err error
			if signer, err = rpmtest.NewSignerWith(c.name, when, *c.options); err != nil {
				t.Fatal(err)
			}
			run("rpmkeys", "--import", write(c.name+".key", signer.ArmoredPublicKey()))
		}
		spec := rpmtest.Spec{
			Name: c.name, Epoch: "2", Version: "1.0", Payload: 5000, Requires: []nevra.Relation{{Name: c.name, Pre: true}},
			Files: map[string][]byte{"/usr/bin/" + c.name: []byte("#!/bin/sh\n"), "/etc/" + c.name + "/": nil},
		}
		b, err := rpmtest.Build(spec, signer)
		if err != nil {
			t.Fatal(err)
		}
		path := write(c.name+".rpm", b)
		checks := run("rpmkeys", "-Kv", path)
		wanted := []string{"Header SHA256 digest: OK", "Header SHA1 digest: OK", "Payload SHA256 digest: OK", "MD5 digest: OK", "    " + c.signature}
		if signer != nil {
			wanted = append(wanted, "Header "+c.signature)
		}
		for _, want := range wanted {
			if !strings.Contains(checks, want) || strings.Contains(checks, "BAD") {
				t.Errorf("%s: %q is missing in\n%s", c.name, want, checks)
			}
		}
		if got, want := run("rpm", "-qp", "--queryformat", "%{NEVRA}", path), spec.NEVRA().String(); got != want {
			t.Errorf("%s: rpm reads %q, want %q", c.name, got, want)
		}
		run("rpm", "-i", path)
		if info, err := os.Stat(filepath.Join(dir, "usr", "bin", c.name)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: installed %v, %v", c.name, info, err)
		}
		run("rpm", "-V", "--nouser", "--nogroup", c.name)
	}
}
