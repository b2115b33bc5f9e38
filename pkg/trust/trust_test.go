package trust

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
)

// key makes a key.
func key(t testing.TB) *SecretKey {
	t.Helper()
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tool is the path of a stock program. Without it the test is skipped, in the
// lab it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("KUBECRATE_LAB") == "1" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}

func TestPublicKey(t *testing.T) {
	t.Parallel()
	k := key(t).Public()
	text := k.String()
	for _, c := range []struct {
		text  string
		right bool
	}{
		{text, true},
		{"untrusted comment: mine\n" + text + "\n", true},
		{"untrusted comment: mine\r\n" + text + "\r\n", true},
		{string(k.file()), true},
		{"", false},
		{"untrusted comment: mine", false},
		{text[:len(text)-4], false},
		{text + text, false},
		{"x" + text[1:], false},
		{"comment\n" + text, false},
		{text + "\nmore", false},
		{text[:20] + "\n" + text[20:], false},
	} {
		got, err := ParsePublicKey(c.text)
		if (err == nil) != c.right || c.right && !got.Equal(k) {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
	if other := key(t).Public(); k.Equal(other) || k.Fingerprint() == other.Fingerprint() {
		t.Error("two keys are the same")
	}
}

// TestFingerprint: stock tools give the same as we do.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	const text = "RWSHBFePas+v4+BsZFCtY/67kXPYJHHPT0qEkdTuG7QK7qoOd8ohCskG"
	k, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	// echo KEY | base64 -d | sha256sum
	if got, want := k.Fingerprint(), "57ca 9ed1 1c34 8037 9d23 a43b e6d8 e951"; got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
}

// TestDerived holds the ECDSA key of a secret key to what it was: signatures of
// years ago must stay verifiable.
func TestDerived(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "k.key")
	const secret = "untrusted comment: minisign encrypted secret key\n" +
		"RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAhwRXj2rPr+PKS2+osnflyZsGBp6LzAmVu/30gTIdJlEDMkL5DqxJmuBsZFCtY/67kXPYJHHPT0qEkdTuG7QK7qoOd8ohCskGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ReadSecretKey(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	der, _, err := k.openSSLKey()
	if err != nil {
		t.Fatal(err)
	}
	if got := hexSHA256(der); got != derivedWant {
		t.Errorf("the key for openssl has the SHA-256 %s, want %s", got, derivedWant)
	}
}

// derivedWant is openssl pkey -pubin -in k.pem -outform DER | sha256sum.
const derivedWant = "170a1b1e097eccf98f86b9c5633b0989b87ccd735079a23a0dfb5c0c2b267d01"

func TestWriteFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := key(t)
	paths, err := k.WriteFiles(filepath.Join(dir, "k"), "")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []os.FileMode{0o600, 0o644, 0o644} {
		info, err := os.Stat(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v", paths[i], info.Mode(), want)
		}
	}
	back, err := ReadSecretKey(paths[0], func() (string, error) { return "", errors.New("was asked for") })
	if err != nil {
		t.Fatal(err)
	}
	if !back.Public().Equal(k.Public()) || !back.ec.Equal(k.ec) {
		t.Error("another key came back")
	}
	if public, err := ReadPublicKey(paths[1]); err != nil || !public.Equal(k.Public()) {
		t.Errorf("the public key: %v", err)
	}
	// Whichever of the three is there, none is written.
	for _, path := range paths {
		for _, p := range paths {
			if err := os.Remove(p); p != path && err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := key(t).WriteFiles(filepath.Join(dir, "k"), "")
		if err == nil || !strings.Contains(err.Error(), "never overwritten") || hint.Of(err) == "" {
			t.Errorf("with %s there: %v", path, err)
		}
		if got, _ := os.ReadFile(path); string(got) != "mine" {
			t.Errorf("%s was overwritten", path)
		}
		if list, _ := os.ReadDir(dir); len(list) != 1 {
			t.Errorf("with %s there, these are: %v", path, list)
		}
	}
	if _, err := key(t).WriteFiles(filepath.Join(dir, "made", "k"), ""); err != nil {
		t.Errorf("a directory that is missing: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "made")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of a secret: %v, %v", info, err)
	}
}

// TestPassphrase costs a second and 1 GiB each time, as minisign wants it.
func TestPassphrase(t *testing.T) {
	if testing.Short() {
		t.Skip("needs 1 GiB")
	}
	k := key(t)
	path := filepath.Join(t.TempDir(), "k.key")
	text, err := k.encode("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if seed, _ := seedOf(k.mini); bytes.Contains(text, seed) {
		t.Error("the key is not encrypted")
	}
	back, err := ReadSecretKey(path, func() (string, error) { return "open sesame", nil })
	if err != nil || !back.Public().Equal(k.Public()) {
		t.Errorf("another key came back: %v", err)
	}
	if _, err := ReadSecretKey(path, func() (string, error) { return "", os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("no passphrase: %v", err)
	}
}

func TestNoSecretKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "public": string(key(t).Public().file()), "text": "hello\nworld\n", "short": "untrusted comment: x\nRWQ=\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecretKey(path, nil); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadSecretKey(dir, nil); err == nil {
		t.Error("a directory was read")
	}
}

// TestStockTools: minisign and openssl verify what is signed here, and what
// minisign signs is trusted here.
func TestStockTools(t *testing.T) {
	t.Parallel()
	minisign, openssl := tool(t, "minisign"), tool(t, "openssl")
	for _, volume := range []int64{0, 20_000} {
		dir := t.TempDir()
		path := makeArchive(t, dir, "a", volume, 1)
		k := key(t)
		paths, err := k.WriteFiles(filepath.Join(dir, "k"), "")
		if err != nil {
			t.Fatal(err)
		}
		signPath(t, k, path)
		_, files, err := archive.Files(path)
		if err != nil || volume > 0 && len(files) < 2 {
			t.Fatalf("files %v, %v", files, err)
		}
		for _, f := range files {
			run(t, minisign, "-V", "-p", paths[1], "-m", f)
			run(t, openssl, "dgst", "-sha256", "-verify", paths[2], "-signature", f+archive.OpenSSLSuffix, f)
		}
		index := filepath.Join(dir, archive.IndexName)
		if err := os.WriteFile(index, indexBytes(t, path), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, minisign, "-V", "-p", paths[1], "-m", index, "-x", path+archive.IndexSignatureSuffix)
		if err := os.Remove(path + archive.IndexSignatureSuffix); err != nil {
			t.Fatal(err)
		}
		run(t, minisign, "-S", "-s", paths[0], "-m", index, "-x", path+archive.IndexSignatureSuffix)
		if _, err := Check(nil, path, indexBytes(t, path), Options{Key: paths[1]}); err != nil {
			t.Errorf("minisign's own signature: %v", err)
		}
		run(t, minisign, "-S", "-l", "-s", paths[0], "-m", index, "-x", path+archive.IndexSignatureSuffix)
		if _, err := Check(nil, path, indexBytes(t, path), Options{Key: paths[1]}); err == nil || !strings.Contains(err.Error(), "legacy") {
			t.Errorf("minisign's old sort of signature: %v", err)
		}
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}

// TestSameSignatures: a key signs the same in the same way.
func TestSameSignatures(t *testing.T) {
	t.Parallel()
	path := makeArchive(t, t.TempDir(), "a", 0, 1)
	k := key(t)
	var before map[string]string
	for range 2 {
		s := signPath(t, k, path)
		now := map[string]string{}
		for _, f := range s.Files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			now[f] = string(b)
		}
		if len(now) != 5 || before != nil && fmt.Sprint(before) != fmt.Sprint(now) {
			t.Errorf("signatures %q, then %q", before, now)
		}
		before = now
	}
}

// FuzzParse reads keys and signatures; what is accepted is written in the one way.
func FuzzParse(f *testing.F) {
	k := key(f)
	f.Add(string(k.Public().file()))
	f.Add(k.Public().String())
	f.Add(string(k.signIndex([]byte("{}"), "x", nil)))
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParsePublicKey(text); err == nil && !strings.Contains(text, got.String()) {
			t.Errorf("%q was read as %s", text, got)
		}
		if _, err := verify(k.Public(), []byte("other"), []byte(text)); err == nil {
			t.Errorf("%q was taken for a signature of something else", text)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "k"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = ReadSecretKey(filepath.Join(dir, "k"), func() (string, error) { return "", os.ErrClosed })
	})
}
