// Package trusttest signs archives for tests, whatever is wrong with them.
package trusttest

import (
	"testing"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/trust"
)

// Sign signs the archive at path as bundle sign does, without a look at it.
func Sign(t testing.TB, k *trust.SecretKey, path string) {
	t.Helper()
	src, err := archive.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }() // only read from
	digests, err := src.Digest(t.Context(), trust.NewDigest, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Reader()
	if err != nil {
		t.Fatal(err)
	}
	_, files, err := archive.Files(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []trust.File
	for i, f := range digests.Files {
		list = append(list, trust.File{Path: files[i], SHA256: f.SHA256, Digest: f.Tap})
	}
	if _, err := k.Sign(src.Base(), r.IndexBytes(), list); err != nil {
		t.Fatal(err)
	}
}
