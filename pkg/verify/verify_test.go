package verify_test

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
	"kubecrate/pkg/verify"
)

// members is how many members the archive of written has; each fills a frame.
const members = 20

// written is an archive in a folder of its own, with its sidecar.
func written(t *testing.T) (path string, content []byte) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	var entries []archive.Entry
	for i := range members {
		b := make([]byte, 100_000)
		if _, err := random.Read(b); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		entries = append(entries, archive.Entry{
			Artifact: manifest.Artifact{Path: fmt.Sprintf("files/%02d", i), Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindFile},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		})
	}
	path = filepath.Join(t.TempDir(), "a.tar.zst")
	if _, err := archive.WriteFile(t.Context(), path, archive.CreateOptions{
		Name: "a", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast,
	}, entries); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestArchive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		whole  int      // members; -1: the index itself is lost
		says   []string // parts of the message; none: it is whole
	}{
		{name: "whole", change: func(b []byte) []byte { return b }},
		{
			name: "bit in a member", change: func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			whole: members - 1, says: []string{"19 of 20 members are intact", "files/09 is damaged"},
		},
		{
			name: "cut in the middle", change: func(b []byte) []byte { return b[:len(b)/2] },
			whole: 9, says: []string{"9 of 20 members are intact", "files/09 is damaged", "files/19 is damaged", "and 1 more"},
		},
		{
			name: "seek table lost", change: func(b []byte) []byte { return b[:len(b)-20] },
			whole: members, says: []string{"20 of 20 members are intact", "archive is damaged"},
		},
		{name: "index lost", change: func(b []byte) []byte { b[30] ^= 0xff; return b }, whole: -1, says: []string{"archive", "damaged"}},
		{name: "empty", change: func([]byte) []byte { return nil }, whole: -1, says: []string{"damaged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, content := written(t)
			if err := os.WriteFile(path, c.change(content), 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := verify.Archive(t.Context(), path, verify.Options{}, nil)
			if len(c.says) == 0 {
				if err != nil || v.Members != members || !v.Sidecar {
					t.Errorf("verified %+v, %v", v, err)
				}
				return
			}
			damaged(t, err, c.whole, c.says)
		})
	}
}

func damaged(t *testing.T, err error, whole int, says []string) {
	t.Helper()
	var damage *archive.DamageError
	if !errors.As(err, &damage) || damage.ExitCode() != 4 || hint.Of(err) == "" {
		t.Fatalf("not damage with a hint: %v (%q)", err, hint.Of(err))
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("it does not say %q:\n%v", part, err)
		}
	}
	var d *verify.Damaged
	if got := errors.As(err, &d); got != (whole >= 0) {
		t.Fatalf("counted: %v, want %v: %v", got, whole >= 0, err)
	}
	if d != nil && (d.Whole != whole || d.Members != members) {
		t.Errorf("%d of %d members are intact, want %d", d.Whole, d.Members, whole)
	}
}

// TestSidecar: an archive that is whole beside a sidecar of another one.
func TestSidecar(t *testing.T) {
	t.Parallel()
	path, _ := written(t)
	if err := os.WriteFile(path+".sha256", []byte(strings.Repeat("0", 64)+"  a.tar.zst\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := verify.Archive(t.Context(), path, verify.Options{}, nil)
	var damage *archive.DamageError
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), "the sidecar says 0000") {
		t.Errorf("a sidecar of another archive: %v", err)
	}
}
