package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// makeArchive writes a small archive of incompressible members.
func makeArchive(t testing.TB, dir, name string, volume int64, seed byte) string {
	t.Helper()
	random := rand.NewChaCha8([32]byte{seed})
	var entries []archive.Entry
	for i := range 3 {
		b := make([]byte, 20_000)
		_, _ = random.Read(b) // it never fails
		sum := sha256.Sum256(b)
		entries = append(entries, archive.Entry{
			Artifact: manifest.Artifact{Path: fmt.Sprint("files/", i), Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindFile},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		})
	}
	path := filepath.Join(dir, name+".tar.zst")
	if _, err := archive.WriteFile(t.Context(), path, archive.CreateOptions{
		Name: name, Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast, VolumeSize: volume,
	}, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

func indexBytes(t testing.TB, path string) []byte {
	t.Helper()
	_, text, _ := hashed(t, path)
	return text
}

// stick is a folder with a signed archive, and the keys of its maker and of
// somebody else.
type stick struct {
	path        string
	mine, other *SecretKey
	host        *host.Host
}

func newStick(t *testing.T) *stick {
	s := &stick{path: makeArchive(t, t.TempDir(), "a", 0, 1), mine: key(t), other: key(t), host: &host.Host{Root: t.TempDir()}}
	s.sign(t, s.mine)
	return s
}

func (s *stick) sign(t *testing.T, k *SecretKey) {
	t.Helper()
	signPath(t, k, s.path)
}

func (s *stick) remove(t *testing.T, suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		if err := os.Remove(s.path + suffix); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stick) write(t *testing.T, suffix, content string) {
	t.Helper()
	if err := os.WriteFile(s.path+suffix, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// knows makes the host trust a key.
func (s *stick) knows(t *testing.T, k *SecretKey) {
	t.Helper()
	who := &Trusted{Origin: Pinned, Key: k.Public().String()}
	if err := who.Remember(s.host); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const sig, pub = archive.IndexSignatureSuffix, archive.PublicKeySuffix
	unsign := func(t *testing.T, s *stick) { s.remove(t, sig, pub) }
	for _, c := range []struct {
		name    string
		change  func(*testing.T, *stick)
		key     func(*stick) string
		require bool
		origin  Origin
		says    []string // of the error; none: it passes
	}{
		{name: "signed, first use", origin: FirstUse},
		{name: "signed, first use, required", require: true, origin: FirstUse},
		{name: "pinned", key: func(s *stick) string { return s.mine.Public().String() }, origin: Pinned},
		{name: "pinned by file", key: func(s *stick) string { return s.path + pub }, origin: Pinned},
		{name: "pinned, no key beside", key: func(s *stick) string { return s.mine.Public().String() }, origin: Pinned, change: func(t *testing.T, s *stick) { s.remove(t, pub) }},
		{name: "known", change: func(t *testing.T, s *stick) { s.knows(t, s.mine) }, origin: Known},
		{name: "known and pinned", change: func(t *testing.T, s *stick) { s.knows(t, s.mine) }, key: func(s *stick) string { return s.mine.Public().String() }, origin: Pinned},
		{name: "not signed", change: unsign, origin: None},
		{name: "key nowhere", change: func(t *testing.T, s *stick) { s.remove(t, pub) }, origin: Unknown},

		{name: "not signed, required", change: unsign, require: true, says: []string{"a.tar.zst: not signed: a.tar.zst.index.minisig is missing, but --require-signature"}},
		{name: "not signed, pinned", change: unsign, key: func(s *stick) string { return s.mine.Public().String() }, says: []string{": not signed: ", "--key has fingerprint MINE"}},
		{name: "not signed, known", change: func(t *testing.T, s *stick) { unsign(t, s); s.knows(t, s.mine) }, says: []string{": not signed: ", "this host trusts the key with fingerprint MINE"}},
		{name: "signature taken away", change: func(t *testing.T, s *stick) { s.remove(t, sig) }, says: []string{": not signed: ", "a.tar.zst.pub is beside it"}},
		{name: "key nowhere, required", change: func(t *testing.T, s *stick) { s.remove(t, pub) }, require: true, says: []string{"signed with a key that this host does not trust"}},
		{name: "another key on the stick", change: func(t *testing.T, s *stick) { s.knows(t, s.mine); s.sign(t, s.other) }, says: []string{"this host trusts the key with fingerprint MINE", "signed with the key with fingerprint OTHER"}},
		{name: "another key, nowhere", change: func(t *testing.T, s *stick) { s.knows(t, s.mine); s.sign(t, s.other); s.remove(t, pub) }, says: []string{"MINE", "another key, which is not beside it"}},
		{name: "another key pinned", key: func(s *stick) string { return s.other.Public().String() }, says: []string{"--key is the key with fingerprint OTHER", "signed with the key with fingerprint MINE"}},
		{name: "pinned against the host's", change: func(t *testing.T, s *stick) { s.knows(t, s.mine) }, key: func(s *stick) string { return s.other.Public().String() }, says: []string{"this host trusts the key with fingerprint MINE, but --key has fingerprint OTHER"}},
		{name: "key of another beside", change: func(t *testing.T, s *stick) { s.write(t, pub, s.other.Public().String()) }, says: []string{"a.tar.zst.index.minisig: made with another key"}},
		{name: "signature of another archive", change: func(t *testing.T, s *stick) {
			s.write(t, sig, string(s.mine.signIndex([]byte("{}"), "a.tar.zst", nil)))
		}, says: []string{"a.tar.zst.index.minisig", "belongs to another archive"}},
		{name: "signature empty", change: func(t *testing.T, s *stick) { s.write(t, sig, "") }, says: []string{"a.tar.zst.index.minisig: not a minisign signature"}},
		{name: "signature huge", change: func(t *testing.T, s *stick) { s.write(t, sig, strings.Repeat("x", maxSmall+1)) }, says: []string{"a.tar.zst.index.minisig"}},
		{name: "signature a directory", change: func(t *testing.T, s *stick) { s.remove(t, sig); _ = os.Mkdir(s.path+sig, 0o700) }, says: []string{"a.tar.zst.index.minisig"}},
		{name: "key beside damaged", change: func(t *testing.T, s *stick) { s.write(t, pub, "x") }, says: []string{"a.tar.zst.pub: not a minisign public key"}},
		{name: "host's key damaged", change: func(t *testing.T, s *stick) {
			s.knows(t, s.mine)
			_ = os.WriteFile(s.host.Path(KeyFile), []byte("x"), 0o600)
		}, says: []string{KeyFile + ": not a minisign public key"}},
		{name: "pinned file missing", key: func(*stick) string { return "/nonexistent" }, says: []string{"cannot read the public key"}},
		{name: "same ID, other key", change: func(t *testing.T, s *stick) { s.knows(t, s.mine); s.sign(t, impostor(t, s.mine)) }, says: []string{"MINE", "the archive is signed with the key with fingerprint"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStick(t)
			if c.change != nil {
				c.change(t, s)
			}
			o := Options{Require: c.require}
			if c.key != nil {
				o.Key = c.key(s)
			}
			who, err := Check(s.host, s.path, indexBytes(t, s.path), o)
			if len(c.says) == 0 {
				if err != nil || who.Origin != c.origin || who.Text() == "" {
					t.Errorf("%+v, %v", who, err)
				}
				return
			}
			var bad *UntrustedError
			if !errors.As(err, &bad) || bad.ExitCode() != 4 || errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%+v, %v", who, err)
			}
			for _, part := range c.says {
				part = strings.NewReplacer("MINE", s.mine.Public().Fingerprint(), "OTHER", s.other.Public().Fingerprint()).Replace(part)
				if !strings.Contains(err.Error(), part) {
					t.Errorf("it does not say %q: %v", part, err)
				}
			}
			if hint.Of(err) == "" && c.name != "pinned file missing" && !strings.HasPrefix(c.name, "key beside") && !strings.HasPrefix(c.name, "signature huge") && !strings.HasPrefix(c.name, "signature a dir") {
				t.Errorf("no hint with %v", err)
			}
		})
	}
}

// impostor is another key that says it has the ID of k.
func impostor(t *testing.T, k *SecretKey) *SecretKey {
	t.Helper()
	var text []byte
	for _, from := range []*SecretKey{key(t), k} {
		b, err := from.mini.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if text == nil {
			text = b
			continue
		}
		// Both are the same up to the ID, which is eight bytes at 54.
		comment := bytes.IndexByte(b, '\n') + 1
		raw, own := decode(t, text[comment:]), decode(t, b[comment:])
		copy(raw[54:62], own[54:62])
		text = append(text[:comment:comment], encodeBase64(raw)...)
	}
	path := filepath.Join(t.TempDir(), "impostor.key")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	fake, err := ReadSecretKey(path, nil)
	if err != nil || fake.mini.ID() != k.mini.ID() || fake.Public().Equal(k.Public()) {
		t.Fatalf("no impostor: %v", err)
	}
	return fake
}

// TestRemember: a host keeps the first key, for root alone, and nothing is kept of
// an archive that is not signed.
func TestRemember(t *testing.T) {
	t.Parallel()
	s := newStick(t)
	for _, none := range []*Trusted{nil, {Origin: None}, {Origin: Unknown}} {
		if err := none.Remember(s.host); err != nil {
			t.Fatal(err)
		}
	}
	if there, _ := s.host.Exists(KeyFile); there {
		t.Fatal("a key was kept of nothing")
	}
	who, err := Check(s.host, s.path, indexBytes(t, s.path), Options{})
	if err != nil || who.Origin != FirstUse {
		t.Fatalf("%+v, %v", who, err)
	}
	if there, _ := s.host.Exists(KeyFile); there {
		t.Fatal("Check has changed the host")
	}
	if err := who.Remember(s.host); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.host.Path(KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has the mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(s.host.Path(KeyFile))); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder has the mode %v, %v", info.Mode(), err)
	}
	for range 2 {
		who, err = Check(s.host, s.path, indexBytes(t, s.path), Options{})
		if err != nil || who.Origin != Known || who.Key != s.mine.Public().String() {
			t.Errorf("%+v, %v", who, err)
		}
		if err := who.Remember(s.host); err != nil {
			t.Fatal(err)
		}
	}
	s.sign(t, s.other)
	if _, err := Check(s.host, s.path, indexBytes(t, s.path), Options{}); err == nil {
		t.Error("a changed key passed")
	}
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*testing.T, *stick)
		says   string // "": all is right
		signed int
	}{
		{name: "right", signed: 2},
		{name: "none", change: func(t *testing.T, s *stick) { s.remove(t, ".minisig", ".sig") }, signed: 1},
		{name: "no key for openssl", change: func(t *testing.T, s *stick) { s.remove(t, ".pem") }, says: "a.tar.zst.sig: the key to verify it with is missing"},
		{name: "file of another", change: func(t *testing.T, s *stick) { s.write(t, ".minisig", string(s.other.signIndex(nil, "", nil))) }, says: "a.tar.zst.minisig: made with another key"},
		{name: "not of this file", change: func(t *testing.T, s *stick) { s.write(t, ".minisig", string(s.mine.signIndex(nil, "", nil))) }, says: "a.tar.zst.minisig: invalid signature"},
		{name: "openssl's wrong", change: func(t *testing.T, s *stick) { s.write(t, ".sig", "x") }, says: "a.tar.zst.sig: invalid signature"},
		{name: "openssl's key of another", change: func(t *testing.T, s *stick) { _, p, _ := s.other.openSSLKey(); s.write(t, ".pem", string(p)) }, says: "a.tar.zst.pem: not the key"},
		{name: "openssl's key no key", change: func(t *testing.T, s *stick) { s.write(t, ".pem", "x") }, says: "a.tar.zst.pem: not a PEM public key"},
		{name: "program changed", change: func(t *testing.T, s *stick) { s.program(t, "changed") }, says: "install.minisig: invalid signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStick(t)
			s.program(t, "program")
			signPath(t, s.mine, s.path)
			who, err := Check(nil, s.path, indexBytes(t, s.path), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				c.change(t, s)
			}
			_, _, files := hashed(t, s.path)
			signed, err := who.CheckFiles(s.path, files)
			if c.says == "" {
				if err != nil || len(signed) != c.signed {
					t.Errorf("signed %v, %v", signed, err)
				}
				return
			}
			var bad *UntrustedError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s", err, c.says)
			}
		})
	}
}

// program is an installer beside the archive.
func (s *stick) program(t *testing.T, content string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.path), "install")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
