package rpm_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

func TestReadKeyringReal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(sharedData(t), "keys")
	for _, c := range []struct {
		file, keys string // FINGERPRINT ALGORITHM EXPIRY, one a key
		subkeys    int
	}{
		{"dgk/centos_RPM-GPG-KEY-CentOS-7", centos7 + " RSA never", 0},
		{"dgk/centos_RPM-GPG-KEY-CentOS-5", centos5 + " DSA 2017-01-03", 0},
		{"docker-ce.gpg", docker + " RSA never", 0},
		{"dgk/redhat_RPM-GPG-KEY-redhat7-release", "43A6E49C4A38F4BE9ABF2A5345689C882FA658E0 DSA never, " + redhat + " RSA never", 0},
		{"kubernetes-yum-key.gpg", "54A647F9048D5688D7DA2ABE6A030B21BA07F4FB RSA 2021-03-31, D0BC747FD8CAF7117500D6FA3746C208A7317B0F RSA 2018-04-02", 0},
		{"kubernetes-rpm-package-key.gpg", "3749E1BA95A86CE054546ED2F09C394C3E1BA8D5 RSA never", 0},
		{"dgk/alma_RPM-GPG-KEY-AlmaLinux-8", "5E9B8F5617B5066CE92057C3488FCF7C3ABB34F8 RSA 2024-01-12, BC5EDDCADF502C077F1582882AE81E8ACED7258B RSA never", 1},
	} {
		var got []string
		subkeys := 0
		for _, k := range readKeyring(t, readFile(t, dir, c.file)).Keys() {
			expires := "never"
			if !k.Expires.IsZero() {
				expires = k.Expires.Format("2006-01-02")
			}
			got = append(got, k.Fingerprint+" "+k.Algorithm+" "+expires)
			subkeys += len(k.Subkeys)
			if k.UserID == "" || k.Created.IsZero() || k.Revoked || k.Bits == 0 {
				t.Errorf("%s: %+v", c.file, k)
			}
		}
		if text := strings.Join(got, ", "); text != c.keys || subkeys != c.subkeys {
			t.Errorf("%s: %s and %d signing subkeys, want %s and %d", c.file, text, subkeys, c.keys, c.subkeys)
		}
	}
}

func TestReadKeyring(t *testing.T) {
	t.Parallel()
	a, b := newSigner(t, rpmtest.SignerOptions{EdDSA: true}), newSigner(t, rpmtest.SignerOptions{EdDSA: true, Subkey: true})
	binary, err := a.BinaryPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name string
		data []byte
		want int
	}{
		{"armored", a.ArmoredPublicKey(), 1},
		{"binary", binary, 1},
		{"two blocks", join(a.ArmoredPublicKey(), b.ArmoredPublicKey()), 2},
		{"text around and between", join([]byte("The key:\r\n"), a.ArmoredPublicKey(), []byte("\n\nand another\n"), b.ArmoredPublicKey(), []byte("that is all")), 2},
		{"CRLF", bytes.ReplaceAll(a.ArmoredPublicKey(), []byte("\n"), []byte("\r\n")), 1},
		{"one key twice", join(a.ArmoredPublicKey(), a.ArmoredPublicKey()), 1},
		{"the last line without its end", bytes.TrimSpace(a.ArmoredPublicKey()), 1},
	} {
		k, err := rpm.ReadKeyring(bytes.NewReader(c.data))
		if err != nil || len(k.Keys()) != c.want {
			t.Errorf("%s: %v, %v", c.name, k.Keys(), err)
		}
	}
	for _, c := range []struct{ name, data, want string }{
		{"nothing", "", "it has no OpenPGP public key"},
		{"text", "hello, world", "cannot read keys"},
		{"a web page", "<html>404</html>", "it is a web page"},
		{"a signature", "-----BEGIN PGP SIGNATURE-----\n\niQEcBAABAgAGBQ==\n-----END PGP SIGNATURE-----\n", "not a key"},
		{"half a key", string(a.ArmoredPublicKey()[:120]), "cannot read keys"},
		{"too much", strings.Repeat("x", 5<<20), "more than 4 MiB"},
	} {
		k, err := rpm.ReadKeyring(strings.NewReader(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", c.name, k.Keys(), err)
		}
	}
}

func TestRestrict(t *testing.T) {
	t.Parallel()
	a, b := newSigner(t, rpmtest.SignerOptions{EdDSA: true}), newSigner(t, rpmtest.SignerOptions{EdDSA: true, Subkey: true})
	both := rpm.Merge(readKeyring(t, a.ArmoredPublicKey()), nil, readKeyring(t, b.ArmoredPublicKey()))
	pin := a.Fingerprint()
	spaced := pin[:4] + " " + pin[4:20] + "  " + pin[20:]
	for _, text := range []string{pin, strings.ToLower(pin), spaced, "0x" + pin, " " + pin + "\n"} {
		k, err := both.Restrict([]string{text})
		if err != nil || len(k.Keys()) != 1 || k.Keys()[0].Fingerprint != pin {
			t.Errorf("%q: %v, %v", text, k.Keys(), err)
		}
	}
	if k, err := both.Restrict(nil); err != nil || len(k.Keys()) != 2 {
		t.Errorf("no fingerprints: %v, %v", k.Keys(), err)
	}
	var subkey string
	for _, k := range both.Keys() {
		if k.Fingerprint == b.Fingerprint() {
			subkey = k.Subkeys[0]
		}
	}
	for _, c := range []struct{ text, want string }{
		{centos7, "cannot pin key " + centos7 + ": not in the keyring, which has Test Key ("},
		{subkey, "it is a subkey; pin the primary key " + b.Fingerprint()},
		{pin[32:], "is not a fingerprint of 40 or 64 hex digits"},
		{"", "is not a fingerprint"},
		{strings.Repeat("x", 40), "is not a fingerprint"},
	} {
		k, err := both.Restrict([]string{pin, c.text})
		if k != nil || err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%q: %v, %v, want %q", c.text, k, err, c.want)
		}
	}
}

// TestSubkeyCopies: of several copies of a key, each revocation counts, and it
// is the subkey that the error names.
func TestSubkeyCopies(t *testing.T) {
	t.Parallel()
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true, Subkey: true})
	file, before := build(t, s), readKeyring(t, s.ArmoredPublicKey())
	if v, err := rpm.Verify(bytes.NewReader(file), before); err != nil || v.Key.Fingerprint != s.Fingerprint() {
		t.Fatalf("before the revocation: %+v, %v", v, err)
	}
	if err := s.RevokeSubkey(); err != nil {
		t.Fatal(err)
	}
	after := readKeyring(t, s.ArmoredPublicKey())
	for _, c := range []struct {
		name string
		keys *rpm.Keyring
	}{
		{"alone", after}, {"after the old copy", rpm.Merge(before, after)}, {"before the old copy", rpm.Merge(after, before)},
		{"among three", rpm.Merge(before, after, before)},
	} {
		pinned, err := c.keys.Restrict([]string{s.Fingerprint()})
		if err != nil {
			t.Fatal(err)
		}
		v, err := rpm.Verify(bytes.NewReader(file), pinned)
		want := "key " + s.Subkey() + ", a subkey of Test Key (" + s.Fingerprint() + "), is revoked"
		if !errors.Is(err, rpm.ErrUntrustedKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", c.name, v, err, want)
		}
		if keys := pinned.Keys(); len(keys) != 1 || len(keys[0].Subkeys) != 0 || keys[0].Revoked {
			t.Errorf("%s: %+v", c.name, keys)
		}
	}
}

// TestReadKeyringPrivate: a private key that someone pinned by mistake.
func TestReadKeyringPrivate(t *testing.T) {
	t.Parallel()
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	private, err := s.ArmoredPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rpm.ReadKeyring(bytes.NewReader(private)); err == nil || !strings.Contains(err.Error(), "is a private key") {
		t.Errorf("%v", err)
	}
}
