package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"kubecrate/manifest"
)

// checkHeaderWithTar reads a header with the standard library.
func checkHeaderWithTar(t *testing.T, h []byte, a manifest.Artifact) {
	t.Helper()
	got, err := tar.NewReader(bytes.NewReader(h)).Next()
	if err != nil {
		t.Fatalf("%q of %d bytes: %v", a.Path, a.Size, err)
	}
	if got.Name != a.Path || got.Size != a.Size || got.Mode != mode(a.Kind) || got.ModTime.Unix() != tarTime || got.Typeflag != tar.TypeReg {
		t.Errorf("%q of %d bytes is read as %+v", a.Path, a.Size, got)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path string
		size int64
		want int64
	}{
		{"a", 0, 512},
		{"a", ustarSizeLimit - 1, 512},
		{"a", ustarSizeLimit, 1536},
		{"a", maxSize, 1536},
		{strings.Repeat("a", 100), 1, 512},
		{strings.Repeat("a", 101), 1, 1536},
		{strings.Repeat("a", 155) + "/" + strings.Repeat("b", 100), 1, 512},
		{strings.Repeat("a", 156) + "/" + strings.Repeat("b", 100), 1, 1536},
		{strings.Repeat("a/", 500), 1, 0},
		{"ä", 1, 1536},
		{strings.Repeat("ä/", 300) + "x", ustarSizeLimit, 2048},
	} {
		a := manifest.Artifact{Path: test.path, Size: test.size, SHA256: strings.Repeat("0", 64), Kind: manifest.KindBinary}
		err := checkArtifact(a)
		if (test.want == 0) != (err != nil) {
			t.Errorf("%q: %v", test.path, err)
		}
		if err != nil {
			continue
		}
		h := header(a)
		if int64(len(h)) != test.want || headerSize(a) != test.want {
			t.Errorf("%q of %d bytes: header of %d, said %d, want %d", test.path, test.size, len(h), headerSize(a), test.want)
		}
		checkHeaderWithTar(t, h, a)
	}
}

// TestIndexFits grows an index across every size around tar blocks: offsets
// have to be right although they are part of what they count.
func TestIndexFits(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for i := range 300 {
		entries = append(entries, member(fmt.Sprintf("m%0*d", i%20+1, i), make([]byte, i*i), manifest.KindFile))
		b, err := newBuilder(options(Default), entries)
		if err != nil {
			t.Fatal(err)
		}
		idx, err := decodeIndex(b.text)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.text)%blockSize != 0 || b.text[len(b.text)-1] != '\n' || len(idx.Members) != i+1 {
			t.Errorf("index of %d members in %d bytes", len(idx.Members), len(b.text))
		}
	}
}
