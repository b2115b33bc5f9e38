package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

// withProgram is an archive with its program beside it.
func withProgram(t *testing.T) (path string) {
	t.Helper()
	b := bytes.Repeat([]byte("program "), 20_000)
	sum := sha256.Sum256(b)
	const member = "bin/install-linux-amd64"
	path = filepath.Join(t.TempDir(), "a.tar.zst")
	_, err := archive.WriteFile(t.Context(), path, archive.CreateOptions{
		Name: "a", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast,
		Programs: []archive.Program{{Name: "install-linux-amd64", Member: member}, {Name: "install", Member: member}},
	}, []archive.Entry{{
		Artifact: manifest.Artifact{Path: member, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindBinary},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func secret(t *testing.T) *trust.SecretKey {
	t.Helper()
	k, err := trust.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPrograms: an installer beside an archive is the one in it, signed or not.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		change    func(dir string) error
		programs  int
		unchecked []string
		bad       string // the program that is refused
	}{
		{name: "both", change: func(string) error { return nil }, programs: 2},
		{name: "none", change: func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "install")), os.Remove(filepath.Join(dir, "install-linux-amd64")))
		}},
		{name: "install changed", change: flip("install"), bad: "install"},
		{name: "the other one changed", change: flip("install-linux-amd64"), bad: "install-linux-amd64"},
		{name: "longer", change: func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "install"), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("x")
				err = errors.Join(err, f.Close())
			}
			return err
		}, bad: "install"},
		{name: "no sidecar", change: func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "a.tar.zst.sha256")), flip("install")(dir))
		}, bad: "install"},
		{name: "another architecture", change: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "install-linux-arm64"), []byte("x"), 0o600)
		}, programs: 2, unchecked: []string{"install-linux-arm64"}},
		{name: "signatures are no programs", change: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "install-linux-amd64.minisig"), []byte("x"), 0o600)
		}, programs: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := withProgram(t)
			if err := c.change(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			v, err := verify.Archive(t.Context(), path, verify.Options{}, nil)
			if c.bad == "" {
				if err != nil || len(v.Programs) != c.programs || !slices.Equal(v.Unchecked, c.unchecked) {
					t.Errorf("%+v, %v", v, err)
				}
				return
			}
			var d *archive.DamageError
			if !errors.As(err, &d) || !strings.Contains(err.Error(), c.bad+" next to it is not the program in it") {
				t.Fatalf("%v", err)
			}
			if h := hint.Of(err); !strings.Contains(h, "tar --zstd -xOf "+path+" bin/install-linux-amd64 >"+filepath.Join(filepath.Dir(path), c.bad)) {
				t.Errorf("hint %q", h)
			}
			// Nor is it signed.
			if _, err := verify.Archive(t.Context(), path, verify.Options{Sign: true}, nil); err == nil {
				t.Error("it could be signed")
			}
		})
	}
}

func flip(name string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(path, b, 0o600)
	}
}

// TestProgramLink: what a person would run is not passed over for being a link.
func TestProgramLink(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"install", "install-linux-amd64", "install-linux-arm64"} {
		path := withProgram(t)
		link := filepath.Join(filepath.Dir(path), name)
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Symlink("/bin/true", link); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Archive(t.Context(), path, verify.Options{}, nil); !errors.Is(err, media.ErrLink) || !strings.Contains(err.Error(), link) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSign: what was verified is signed, though the names lead elsewhere by then.
func TestSign(t *testing.T) {
	t.Parallel()
	path, k := withProgram(t), secret(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Archive(t.Context(), path, verify.Options{Sign: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(path), "install")
	for _, p := range []string{path, program} {
		if err := os.WriteFile(p, []byte("something else"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := v.Sign(k)
	if err != nil || len(s.Files) != 9 {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	check := func(index []byte) (*trust.Trusted, error) {
		return trust.Check(nil, path, index, trust.Options{Key: k.Public().String()})
	}
	v, err = verify.Archive(t.Context(), path, verify.Options{Trust: check, Files: true}, nil)
	if err != nil || len(v.Signed) != 2 {
		t.Errorf("signed %+v, %v", v, err)
	}
}
