package manifest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/nevra/nevratest"
)

func sampleLock() *Lock {
	ones := strings.Repeat("1", 64)
	return &Lock{
		APIVersion: APIVersion, Kind: KindLock, Name: "small", Platform: Platform{Family: "el7", Arch: "amd64"}, Manifest: ones, Baseline: NoBaseline,
		Packages: []LockedPackage{
			{NEVRA: nevratest.Parse("socat-1.7.3.2-2.el7.x86_64"), Repo: "base", Location: "Packages/socat.rpm", URL: "https://m.example/socat.rpm", Size: 290, SHA256: ones,
				Why: []LockedReason{{By: "kubelet-1.17.4-0.x86_64", Requires: "socat"}}},
			{NEVRA: nevratest.Parse("kubelet-1.17.4-0.x86_64"), Repo: "kubernetes", Location: "../../pool/k.rpm", URL: "https://m.example/k.rpm", Size: 12, SHA256: ones,
				Upgrades: nevratest.Parse("kubelet-1.16.0-0.x86_64"), Why: []LockedReason{{Root: "kubelet-1.17.4-0"}}},
		},
		Images: []LockedImage{{
			Name: "k8s.gcr.io/pause:3.1", Source: "mirror.example/google/pause:3.1", Digest: "sha256:" + ones, Index: "sha256:" + ones, Platform: "linux/amd64",
			MediaType: "application/vnd.docker.distribution.manifest.v2+json", Size: 527, Config: LockedBlob{"sha256:" + ones, 1497},
			Layers: []LockedLayer{{LockedBlob{"sha256:" + ones, 32}, "application/vnd.docker.image.rootfs.diff.tar.gzip", "sha256:" + ones}},
			Roles:  []Role{Master}, KeepDigest: true, From: "manifests/x.yml",
		}},
		Files: []LockedFile{{Path: "manifests/x.yml", URL: "/srv/x.yml", Size: 0, SHA256: ones, Roles: []Role{Master, Node}}},
	}
}

func TestLockRoundTrip(t *testing.T) {
	t.Parallel()
	l := sampleLock()
	text, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "lock.golden.yaml", text)
	file := filepath.Join(t.TempDir(), "small.lock")
	for range 2 { // the second one replaces
		if err := WriteLock(file, l); err != nil {
			t.Fatal(err)
		}
	}
	back, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	if back.Packages[0].NEVRA.String() != "kubelet-1.17.4-0.x86_64" || back.Images[0].Layers[0].Digest == "" {
		t.Errorf("got %+v", back)
	}
	again, err := back.Marshal()
	if err != nil || string(again) != string(text) {
		t.Errorf("another lock comes back: %v\n%s", err, again)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	// What never ends, or never begins, is not waited for.
	pipe := file + ".pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{pipe, "/dev/zero", t.TempDir()} {
		if _, err := ReadLock(odd); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", odd, err)
		}
	}
	if _, err := ReadLock(file + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := WriteLock(filepath.Join(file, "x.lock"), l); err == nil || !strings.HasPrefix(err.Error(), "cannot write the lock: ") {
		t.Errorf("got %v", err)
	}
}

func TestBadLock(t *testing.T) {
	t.Parallel()
	text, err := sampleLock().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{"kind: Lock", "kind: Bundle", `x.lock:3:7: kind: wrong kind "Bundle": want Lock`},
		{"name: small\n", "", `x.lock:2:1: missing key "name"`},
		{"baseline: none", "baseline: some", `x.lock:9:11: baseline: "some" must be 64 hex digits`},
		{"repo: base", "repos: base", `x.lock:21:5: unknown key "repos" in packages[1] (did you mean "repo"?)`},
		{"size: 290", "size: 0", `x.lock:24:11: packages[1].size: 0 is not a valid size`},
		{"size: 290", "size: x", `x.lock:24:11: packages[1].size must be a whole number, not "x"`},
		{"nevra: socat-1.7.3.2-2.el7.x86_64", "nevra: socat", `x.lock:20:12: packages[1].nevra: "socat" must be name-[epoch:]version-release.arch`},
		{"nevra: socat-1.7.3.2-2.el7.x86_64", "nevra: a-1-1.x86_64", `x.lock:20:12: packages[1].nevra: "a-1-1.x86_64" is after "kubelet-1.17.4-0.x86_64": the list must be sorted`},
		{"nevra: socat-1.7.3.2-2.el7.x86_64", "nevra: kubelet-1.17.4-0.x86_64", `x.lock:20:12: packages[1].nevra: duplicate "kubelet-1.17.4-0.x86_64"`},
		{"url: https://m.example/socat.rpm", "url: gopher://m.example/socat.rpm", `x.lock:23:10: packages[1].url: cannot fetch "gopher://m.example/socat.rpm": unsupported scheme gopher (known: https, http, file)`},
		{"root: kubelet-1.17.4-0", "by: kubelet-1.17.4-0", `x.lock:19:9: packages[0].why[0]: want root, or by and requires`},
		{"platform: linux/amd64", "platform: linux/arm64", `x.lock:34:15: images[0].platform: "linux/arm64" is not the lock's platform, linux/amd64`},
		{"diffID: sha256:", "diffID: sha512:", `x.lock:44:17: images[0].layers[0].diffID: "sha512:1111111111111111111111111111111111111111111111111111111111111111" must be sha256: and 64 hex digits`},
		{"path: manifests/x.yml", "path: /etc/passwd", `x.lock:50:11: files[0].path: "/etc/passwd" is not a path in the archive: want names separated by /, with no . or .. element`},
	} {
		if !strings.Contains(string(text), test.old) {
			t.Fatalf("the lock has no %q", test.old)
		}
		_, err := ParseLock("x.lock", []byte(strings.Replace(string(text), test.old, test.new, 1)))
		if err == nil || err.Error() != test.want {
			t.Errorf("got\n%v\nwant\n%s", err, test.want)
		}
	}
}

func TestLockPath(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"kubernetes.yaml": "kubernetes.lock", "dir.d/my.yml": "dir.d/my.lock", "plain": "plain.lock", DefaultProfile: DefaultProfile + ".lock",
	} {
		if got := LockPath(ref); got != want {
			t.Errorf("LockPath(%q) = %q, want %q", ref, got, want)
		}
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	parse := func(old, new string) *Manifest {
		m, err := Parse("m.yaml", []byte(strings.Replace(good, old, new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := parse("", "")
	l := sampleLock()
	l.Manifest = m.Digest()
	l.Packages[0].Why = []LockedReason{{Root: "ipset"}}
	l.Packages[1].Why = []LockedReason{{By: "a-1-1.x86_64", Requires: "b"}}
	l.Images = append(l.Images, LockedImage{Name: "docker.io/library/nginx:1.14-alpine"})
	l.Files[0].Path = "manifests/kube-flannel.yml"
	other := parse("", "")
	if err := other.Override(Overrides{Mirrors: []string{"k8s.gcr.io=127.0.0.1:5000"}, Repos: []string{"base=/srv"}}); err != nil {
		t.Fatal(err)
	}
	short := m.Digest()[:12]
	for _, test := range []struct {
		m    *Manifest
		want string
	}{
		{m, ""},
		{other, ""},
		{parse("name: small", "name: other"), `the lock is for "small", the manifest is "other"`},
		{parse("amd64", "arm64"), "the lock is for el7 amd64, the manifest for el7 arm64"},
		{parse("  roots", "  baseline: centos-7-minimal\n  roots"), "the baseline centos-7-minimal is not the one it was resolved against"},
		{parse("[ipset]", "[ipset, chrony]"), "the package chrony is new in the manifest"},
		{parse("[ipset]", "[]"), "the package ipset is no longer in the manifest"},
		{parse("pause:3.1", "pause:3.2"), "the image k8s.gcr.io/pause:3.2 is new in the manifest"},
		{parse("path: manifests/", "path: files/"), "the file files/kube-flannel.yml is new in the manifest"},
		{parse("    images: true", "    sha256: \""+zeros+`"`), "the manifest pins another sha256 for manifests/kube-flannel.yml"},
		{parse("runtime: docker", "runtime: containerd"), "the manifest has changed since it was locked (" + short + ", now "},
	} {
		got := l.Stale(test.m)
		if got != test.want && !(strings.HasSuffix(test.want, "now ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	text, err := sampleLock().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("packages: &a [{why: *a}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l *Lock
		var err error
		bounded(t, data, func() { l, err = ParseLock("f", data) })
		if err != nil {
			_ = err.Error()
			return
		}
		text, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseLock("back", text); err != nil {
			t.Fatalf("what Marshal writes is refused: %v\n%s", err, text)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, p := range Profiles() {
		text, err := ProfileText(p.Name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("extends: x\npackages: {repos: [&a {id: b, baseurl: [c]}, *a]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *Manifest
		var err error
		bounded(t, data, func() { m, err = Parse("f", data) })
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without text")
			}
			return
		}
		if m.Extends != "" {
			return
		}
		text, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("back", text)
		if err != nil {
			t.Fatalf("what Marshal writes is refused: %v\n%s", err, text)
		}
		if back.Digest() != m.Digest() {
			t.Fatalf("another digest comes back:\n%s", text)
		}
	})
}

// bounded calls f and fails the test if it takes more memory than a small
// input is worth.
func bounded(t *testing.T, input []byte, f func()) {
	t.Helper()
	const most, small = 64 << 20, 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; len(input) < small && used > most {
		t.Fatalf("%d bytes allocated for %d bytes of input", used, len(input))
	}
}

// TestManyValues: a document of nothing but empty entries, of any kind, is turned
// away by its bytes, however they are laid out: nodes of a library take a hundred
// times the memory. Not parallel: it counts the memory.
func TestManyValues(t *testing.T) {
	kinds := map[string]struct {
		parse func(text []byte) error
		size  int // the most that is read of it
		want  string
	}{
		"manifest": {func(text []byte) error { _, err := Parse("x", text); return err }, MaxSize, "more than 50000 values"},
		"cluster":  {func(text []byte) error { _, err := ParseCluster("x", text); return err }, MaxSize, "more than 100000 values"},
		"ticket":   {func(text []byte) error { _, err := ParseTicket("x", text); return err }, MaxTicket, "more than 100000 values"},
		"lock":     {func(text []byte) error { _, err := ParseLock("x", text); return err }, MaxLockSize, "more than 200000 values"},
	}
	for name, kind := range kinds {
		for layout, each := range map[string]struct{ before, each string }{
			"block":    {"packages:\n", "  - {}\n"},
			"flow":     {"packages: [", "{},"},
			"nested":   {"packages: ", "["},
			"inline":   {"packages:\n  ", "- "},
			"mappings": {"packages: {", "? a\n"},
			"returns":  {"packages:\r", "  - {}\r"},
			"breaks":   {"packages:\n", "-\u2028"},
			"aliases":  {"a: &a [{}]\nb: [", "*a ,"},
		} {
			text := []byte(each.before + strings.Repeat(each.each, (kind.size-len(each.before))/len(each.each)))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := kind.parse(text)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), kind.want) {
				t.Errorf("%s, %s: %.200v", name, layout, err)
			}
			const most = 8 << 20
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%s, %s: %d bytes allocated for %d", name, layout, used, len(text))
			}
		}
	}
}
