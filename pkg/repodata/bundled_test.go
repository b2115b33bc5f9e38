package repodata

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// TestReadBundled reads back what Write wrote, and the ways in which it can be
// damaged.
func TestReadBundled(t *testing.T) {
	t.Parallel()
	repo := memoryRepo{}
	if err := Write(repo.create, generated(20), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	bundle := func(change func([]byte) []byte) fstest.MapFS {
		fsys := fstest.MapFS{}
		for name, content := range repo {
			text := content.Bytes()
			if change != nil && strings.HasSuffix(name, "primary.xml.gz") {
				text = change(bytes.Clone(text))
			}
			fsys["rpms/"+name] = &fstest.MapFile{Data: text}
		}
		return fsys
	}
	read := func(fsys fstest.MapFS) (names []string, err error) {
		err = ReadBundled(context.Background(), fsys, "rpms", func(p *Package) error {
			names = append(names, p.NEVRA.String())
			return p.Unusable
		})
		return names, err
	}
	if names, err := read(bundle(nil)); err != nil || len(names) != 20 {
		t.Errorf("%d packages, %v", len(names), err)
	}
	for what, c := range map[string]struct {
		fsys fstest.MapFS
		want string
	}{
		"cut":   {bundle(func(b []byte) []byte { return b[:len(b)/2] }), "unexpected EOF"},
		"sum":   {bundle(func(b []byte) []byte { b[len(b)-6] ^= 1; return b }), "checksum"},
		"plain": {bundle(func([]byte) []byte { return []byte("<metadata/>") }), "header"},
		"bomb": {bundle(func([]byte) []byte {
			return gzipped(t, append([]byte("<metadata>"), bytes.Repeat([]byte("<x>      </x>\n"), bombFloor/12)...))
		}), "not plausible for metadata"},
		"absent":  {fstest.MapFS{"rpms/repodata/repomd.xml": {}}, "no primary.xml.gz"},
		"nothing": {fstest.MapFS{}, "not exist"},
	} {
		if _, err := read(c.fsys); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	stop := errors.New("enough")
	err := ReadBundled(context.Background(), bundle(nil), "rpms", func(*Package) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("%v, want what the caller said", err)
	}
}
