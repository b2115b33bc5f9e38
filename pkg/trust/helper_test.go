package trust

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"kubecrate/pkg/archive"
)

// hashed reads the archive at path, and the programs beside it, once.
func hashed(t testing.TB, path string) (base string, index []byte, files []File) {
	t.Helper()
	src, err := archive.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }() // only read from
	digests, err := src.Digest(t.Context(), NewDigest, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Reader()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := archive.ReadPrograms(t.Context(), filepath.Dir(path), NewDigest)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(digests.Files, programs...) {
		files = append(files, File{Path: filepath.Join(filepath.Dir(path), f.Name), SHA256: f.SHA256, Digest: f.Tap})
	}
	return src.Base(), r.IndexBytes(), files
}

func signPath(t testing.TB, k *SecretKey, path string) *Signed {
	t.Helper()
	s, err := k.Sign(hashed(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t *testing.T, text []byte) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
