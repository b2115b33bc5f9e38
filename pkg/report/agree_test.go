package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/nevra/nevratest"
	"kubecrate/pkg/report"
)

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func entry(path string, kind manifest.Kind, content string, roles ...manifest.Role) archive.Entry {
	return archive.Entry{
		Artifact: manifest.Artifact{Path: path, Size: int64(len(content)), SHA256: hexSum([]byte(content)), Kind: kind, Roles: roles},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// bundled is a lock and the members that follow from it.
func bundled() (*manifest.Lock, []archive.Entry) {
	rpm, file := "an rpm", "a: file\n"
	l := &manifest.Lock{
		APIVersion: manifest.APIVersion, Kind: manifest.KindLock,
		Name: "x", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Manifest: hexSum(nil), Baseline: manifest.NoBaseline,
		Packages: []manifest.LockedPackage{{NEVRA: nevratest.Parse("a-1:2-3.x86_64"), Repo: "r", Location: "a.rpm", URL: "https://example.org/a.rpm", Size: int64(len(rpm)), SHA256: hexSum([]byte(rpm)), Why: []manifest.LockedReason{{Root: "a"}}}},
		Files:    []manifest.LockedFile{{Path: "manifests/f.yml", URL: "https://example.org/f.yml", Size: int64(len(file)), SHA256: hexSum([]byte(file)), Roles: []manifest.Role{manifest.Master}}},
	}
	return l, []archive.Entry{
		entry("bin/install-linux-amd64", manifest.KindBinary, "program"),
		entry("rpms/repodata/repomd.xml", manifest.KindRepodata, "<repomd/>"),
		entry("rpms/a-2-3.x86_64.rpm", manifest.KindRPM, rpm),
		entry("manifests/f.yml", manifest.KindFile, file, manifest.Master),
	}
}

// opened is an archive of members, with the lock l and sums right.
func opened(t *testing.T, l *manifest.Lock, members []archive.Entry, sums func(string) string) *archive.Reader {
	t.Helper()
	text, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	members = append([]archive.Entry{entry("bundle.lock", manifest.KindMeta, string(text))}, members...)
	var lines string
	for _, e := range members {
		lines += e.SHA256 + "  " + e.Path + "\n"
	}
	members = append(members, entry("SHA256SUMS", manifest.KindMeta, sums(lines)))
	var b bytes.Buffer
	if _, err := archive.Create(t.Context(), &b, archive.CreateOptions{Name: "x", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast}, members); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAgree: an archive holds what its lock says, all of it and nothing else.
func TestAgree(t *testing.T) {
	t.Parallel()
	same := func(s string) string { return s }
	for _, c := range []struct {
		name string
		lock func(*manifest.Lock)
		list func([]archive.Entry) []archive.Entry
		sums func(string) string
		says string // "": it agrees
	}{
		{name: "as built"},
		{name: "hash of a package", lock: func(l *manifest.Lock) { l.Packages[0].SHA256 = hexSum([]byte("x")) }, says: "for rpms/a-2-3.x86_64.rpm, whose sha256 is"},
		{name: "size of a package", lock: func(l *manifest.Lock) { l.Packages[0].Size++ }, says: "bytes for rpms/a-2-3.x86_64.rpm, whose size is 6"},
		{name: "version of a package", lock: func(l *manifest.Lock) { l.Packages[0].NEVRA = nevratest.Parse("a-1:2-4.x86_64") }, says: "it lists rpms/a-2-4.x86_64.rpm, which is not in the archive"},
		{name: "package too many in the lock", lock: func(l *manifest.Lock) {
			p := l.Packages[0]
			p.NEVRA = nevratest.Parse("b-1-1.noarch")
			l.Packages = append(l.Packages, p)
		}, says: "it lists rpms/b-1-1.noarch.rpm"},
		{name: "package too many in the archive", list: func(m []archive.Entry) []archive.Entry {
			return append(m, entry("rpms/evil-1-1.noarch.rpm", manifest.KindRPM, "x"))
		}, says: "has no entry for rpms/evil-1-1.noarch.rpm"},
		{name: "any other member", list: func(m []archive.Entry) []archive.Entry { return append(m, entry("notes", manifest.KindMeta, "x")) }, says: "no entry for notes"},
		{name: "another program", list: func(m []archive.Entry) []archive.Entry {
			return append(m, entry("bin/helper", manifest.KindBinary, "x"))
		}, says: "no entry for bin/helper"},
		{name: "file", lock: func(l *manifest.Lock) { l.Files[0].SHA256 = hexSum([]byte("x")) }, says: "for manifests/f.yml, whose sha256 is"},
		{name: "roles of a file", lock: func(l *manifest.Lock) { l.Files[0].Roles = nil }, says: "manifests/f.yml has other roles"},
		{name: "name", lock: func(l *manifest.Lock) { l.Name = "y" }, says: "it is for y el7/amd64, but index.json is for x"},
		{name: "image that is not there", lock: func(l *manifest.Lock) {
			d := "sha256:" + hexSum(nil)
			l.Images = []manifest.LockedImage{{Name: "k8s.gcr.io/pause:3.1", Source: "x", Digest: d, Platform: "linux/amd64", MediaType: "x", Size: 1, Config: manifest.LockedBlob{Digest: d, Size: 1}}}
		}, says: "images/"},
		{name: "sums of another", sums: func(s string) string { return "0" + s[1:] }, says: "SHA256SUMS"},
		{name: "a sum missing", sums: func(s string) string { return s[strings.Index(s, "\n")+1:] }, says: "SHA256SUMS"},
		{name: "a sum too many", sums: func(s string) string { return s + hexSum(nil) + "  x\n" }, says: "SHA256SUMS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, members := bundled()
			if c.lock != nil {
				c.lock(l)
			}
			if c.list != nil {
				members = c.list(members)
			}
			if c.sums == nil {
				c.sums = same
			}
			r := opened(t, l, members, c.sums)
			locked, err := report.Agree(r)
			contents, ierr := report.Inspect(r)
			if ierr != nil || (contents.Disagrees == "") != (c.says == "") {
				t.Fatalf("inspect: %+v, %v", contents, ierr)
			}
			var text strings.Builder
			if err := contents.WriteText(&text); err != nil || strings.HasPrefix(text.String(), "WARNING") != (c.says != "") {
				t.Errorf("inspect prints %s, %v", text.String(), err)
			}
			if c.says == "" {
				if err != nil || !locked {
					t.Errorf("%v, %v", locked, err)
				}
				return
			}
			var d *archive.DamageError
			if !errors.As(err, &d) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
