package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/trust/trusttest"
)

// victim is a stick with a signed archive, as its attacker finds it. The host
// trusts the key of the archive, unless a row says otherwise.
type victim struct {
	path    string
	key     *trust.SecretKey
	pinned  string
	entries []archive.Entry
	content [][]byte
}

// newVictim writes and signs an archive, in volumes of that many bytes unless
// volume is 0.
func newVictim(t *testing.T, volume int64) *victim {
	t.Helper()
	v := &victim{path: filepath.Join(t.TempDir(), "x.tar.zst"), key: newKey(t)}
	v.pinned = v.key.Public().String()
	v.entries, v.content = archive.SampleMembers(0)
	v.make(t, volume)
	return v
}

func (v *victim) make(t *testing.T, volume int64) {
	t.Helper()
	if _, err := archive.WriteFile(t.Context(), v.path, archive.CreateOptions{Name: "x", Level: archive.Fast, VolumeSize: volume}, v.entries); err != nil {
		t.Fatal(err)
	}
	v.sign(t)
}

func newKey(t *testing.T) *trust.SecretKey {
	t.Helper()
	k, err := trust.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sign signs what is there with the key that the host trusts.
func (v *victim) sign(t *testing.T) {
	t.Helper()
	trusttest.Sign(t, v.key, v.path)
}

// flip flips a bit of a file; at is from its end where it is negative.
func (v *victim) flip(t *testing.T, suffix string, at int64) {
	t.Helper()
	b := v.read(t, suffix)
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 4
	v.write(t, suffix, b)
}

func (v *victim) read(t *testing.T, suffix string) []byte {
	t.Helper()
	b, err := os.ReadFile(v.path + suffix)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v *victim) write(t *testing.T, suffix string, b []byte) {
	t.Helper()
	if err := os.WriteFile(v.path+suffix, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// regions are those of the archive as it is.
func (v *victim) regions(t *testing.T) (frames []int64, checks, seek int64) {
	t.Helper()
	r, closer, err := archive.OpenPath(v.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return r.Regions()
}

// forge puts an archive in the place of the one that is there. Where the index
// is still the one that was signed, only the tar stream differs.
func (v *victim) forge(t *testing.T, change func(*archive.Forged)) {
	t.Helper()
	f := archive.Forge(v.entries, v.content)
	change(f)
	v.write(t, "", f.Bytes(t))
}

// behind is forge with the index that the owner of the key signed: of an archive
// that was made in the same way, and not changed.
func (v *victim) behind(t *testing.T, change func(*archive.Forged)) {
	t.Helper()
	v.forge(t, func(*archive.Forged) {})
	v.sign(t)
	r, closer, err := archive.OpenPath(v.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	f := archive.Forge(v.entries, v.content)
	change(f)
	v.write(t, "", f.Around(t, r.IndexBytes()))
}

// use is what the installer does with an archive. between happens after all of it
// was verified and before it is used.
func (v *victim) use(ctx context.Context, between func()) error {
	r, closer, err := archive.OpenPath(v.path)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	if _, err := trust.Check(nil, v.path, r.IndexBytes(), trust.Options{Key: v.pinned}); err != nil {
		return err
	}
	if err := r.Verify(ctx, nil, nil); err != nil {
		return err
	}
	if between != nil {
		between()
	}
	return r.Each(ctx, nil, func(_ archive.Member, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	})
}

// attack is a row of the table. held names the tests that go deeper, in this
// package or, behind a slash, in another one.
type attack struct {
	name   string
	volume int64
	do     func(*testing.T, *victim)
	says   string // what the message has to name
	held   string
}

// attacks are all on the archive that docs/SECURITY.md speaks of. Those on
// tickets and identities are in pkg/kubeadm and pkg/identity; that both programs
// end with 4 and say the same, cmd/bundle/testdata/sign.txtar shows.
func attacks() []attack {
	return slices.Concat(flips(), forgeries(), swaps())
}

// flips are bits changed and bytes lost, as a bad stick does too.
func flips() []attack {
	const sig = archive.IndexSignatureSuffix
	return []attack{
		{name: "a bit of the index", held: "TestEveryBit", says: "archive is damaged", do: func(t *testing.T, v *victim) { v.flip(t, "", 40) }},
		{name: "a bit of a frame's header", held: "TestEveryBit", says: "bin/install-linux-amd64", do: func(t *testing.T, v *victim) { at, _, _ := v.regions(t); v.flip(t, "", at[1]+4) }},
		{name: "a bit of a frame", held: "TestEveryBit TestDamagedRead", says: "bin/install-linux-amd64", do: func(t *testing.T, v *victim) { at, _, _ := v.regions(t); v.flip(t, "", (at[2]+at[3])/2) }},
		{name: "a bit of the checksums", held: "TestEveryBit", says: "archive is damaged", do: func(t *testing.T, v *victim) { _, checks, _ := v.regions(t); v.flip(t, "", checks+20) }},
		{name: "a bit of the seek table", held: "TestEveryBit FuzzSeekTable", says: "archive is damaged", do: func(t *testing.T, v *victim) { _, _, seek := v.regions(t); v.flip(t, "", seek+9) }},
		{name: "a bit of the end", held: "TestEveryBit", says: "archive is damaged", do: func(t *testing.T, v *victim) { v.flip(t, "", -1) }},
		{name: "a bit of the signature", held: "trust/TestCheck trust/FuzzParse", says: "x.tar.zst" + sig, do: func(t *testing.T, v *victim) { v.flip(t, sig, 100) }},
		{name: "a bit of the signed comment", held: "trust/TestCheck", says: "x.tar.zst" + sig, do: func(t *testing.T, v *victim) { v.flip(t, sig, -120) }},
		{name: "the end cut off", held: "TestEveryLength", says: "archive is damaged", do: func(t *testing.T, v *victim) { b := v.read(t, ""); v.write(t, "", b[:len(b)-100]) }},
		{name: "a volume cut off", volume: 20_000, held: "TestBadVolumes", says: "volume x.tar.zst.002", do: func(t *testing.T, v *victim) { b := v.read(t, ".002"); v.write(t, ".002", b[:len(b)-1]) }},
		{name: "a volume missing", volume: 20_000, held: "TestBadVolumes", says: "volume x.tar.zst.002 is missing", do: func(t *testing.T, v *victim) {
			if err := os.Remove(v.path + ".002"); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// forgeries are archives made with care: every checksum in them is right.
func forgeries() []attack {
	const changed = "x.tar.zst" + archive.IndexSignatureSuffix + ": invalid signature: index.json was changed"
	const evil = "* * * * * root evil\n"
	zeros := make([]byte, archive.SampleSize)
	type forged = archive.Forged
	return []attack{
		{name: "a member added", says: changed, do: func(t *testing.T, v *victim) { v.forge(t, func(f *forged) { f.Add("etc/cron.d/evil", evil) }) }},
		{name: "a member added that the index does not know", says: "the seek table describes", do: func(t *testing.T, v *victim) { v.behind(t, func(f *forged) { f.Add("etc/cron.d/evil", evil) }) }},
		{name: "a member removed", says: changed, do: func(t *testing.T, v *victim) { v.forge(t, func(f *forged) { f.Remove(2) }) }},
		{name: "a member removed that the index has", says: "the seek table describes", do: func(t *testing.T, v *victim) { v.behind(t, func(f *forged) { f.Remove(2) }) }},
		{name: "a member replaced", says: changed, do: func(t *testing.T, v *victim) { v.forge(t, func(f *forged) { f.Replace(1, zeros, true) }) }},
		{name: "a member replaced, the index not", held: "TestDamagedRead", says: "images/blobs/one is damaged: its content does not match the SHA-256", do: func(t *testing.T, v *victim) { v.behind(t, func(f *forged) { f.Replace(1, zeros, false) }) }},
		{name: "two members swapped", says: "images/blobs/two is damaged: its content does not match the SHA-256", do: func(t *testing.T, v *victim) {
			v.behind(t, func(f *forged) { f.Contents[1], f.Contents[2] = f.Contents[2], f.Contents[1] })
		}},
		{name: "a member renamed", says: changed, do: func(t *testing.T, v *victim) { v.rename(t, 1, "images/blobs/0ne") }},
		{name: "a member renamed upwards", held: "FuzzIndex", says: `"../../etc/passwd" is not a valid member path`, do: func(t *testing.T, v *victim) { v.rename(t, 1, "../../etc/passwd") }},
		{name: "a member renamed upwards in the middle", held: "FuzzIndex", says: `"a/../../etc/passwd" is not a valid member path`, do: func(t *testing.T, v *victim) { v.rename(t, 1, "a/../../etc/passwd") }},
		{name: "a member with an absolute path", held: "FuzzIndex", says: `"/etc/passwd" is not a valid member path`, do: func(t *testing.T, v *victim) { v.rename(t, 1, "/etc/passwd") }},
		{name: "a member with the path of another", says: `duplicate path "images/blobs/two"`, do: func(t *testing.T, v *victim) { v.rename(t, 1, "images/blobs/two") }},
		{name: "a member below another", says: `"images/blobs/two" is a file`, do: func(t *testing.T, v *victim) { v.rename(t, 1, "images/blobs/two/x") }},
		{name: "another path in the tar header alone", says: "images/blobs/one is damaged: its tar header", do: func(t *testing.T, v *victim) {
			v.behind(t, func(f *forged) { f.Header(1, func(b []byte) { clear(b[:100]); copy(b, "../../etc/passwd") }) })
		}},
		{name: "a symbolic link", says: "images/blobs/one is damaged: its tar header", do: func(t *testing.T, v *victim) {
			v.behind(t, func(f *forged) { f.Header(1, func(b []byte) { b[156] = '2'; copy(b[157:], "/etc/passwd") }) })
		}},
		{name: "a device", says: "images/blobs/one is damaged: its tar header", do: func(t *testing.T, v *victim) {
			v.behind(t, func(f *forged) { f.Header(1, func(b []byte) { b[156] = '3' }) })
		}},
		{name: "a setuid bit", says: "bin/install-linux-amd64 is damaged: its tar header", do: func(t *testing.T, v *victim) {
			v.behind(t, func(f *forged) { f.Header(0, func(b []byte) { copy(b[100:], "0004755") }) })
		}},
		{name: "a bomb, even if it is signed", held: "TestBomb FuzzOpen", says: "member x is damaged: a frame cannot be decompressed", do: func(t *testing.T, v *victim) { v.write(t, "", archive.Bomb(t)); v.sign(t) }},
	}
}

// rename gives a member another path, in the index and in the tar stream.
func (v *victim) rename(t *testing.T, i int, path string) {
	t.Helper()
	v.forge(t, func(f *archive.Forged) { f.Index.Members[i].Path = path })
}

// swaps put something else in the place of the archive, or of a part of it.
func swaps() []attack {
	const sig = archive.IndexSignatureSuffix
	return []attack{
		{name: "a wrong key", held: "trust/TestCheck", says: "--key is the key with fingerprint", do: func(t *testing.T, v *victim) { v.key = newKey(t); v.sign(t) }},
		{name: "no signature", held: "trust/TestCheck", says: "not signed: x.tar.zst" + sig + " is missing", do: func(t *testing.T, v *victim) {
			if err := os.Remove(v.path + sig); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "the signature of another archive", held: "trust/TestCheck", says: "x.tar.zst" + sig, do: func(t *testing.T, v *victim) { v.write(t, sig, v.later(t, 0).read(t, sig)) }},
		{name: "the signature of the file, as that of the index", says: "x.tar.zst" + sig, do: func(t *testing.T, v *victim) { v.write(t, sig, v.read(t, archive.SignatureSuffix)) }},
		{name: "a volume of another archive, of the same key", volume: 20_000, held: "TestBadVolumes", says: "volume x.tar.zst.003 is damaged or from another build", do: func(t *testing.T, v *victim) { v.write(t, ".003", v.later(t, 20_000).read(t, ".003")) }},
		{name: "the first volume of another archive, of the same key", volume: 20_000, held: "TestBadVolumes", says: "do not form one archive", do: func(t *testing.T, v *victim) { v.write(t, ".001", v.later(t, 20_000).read(t, ".001")) }},
	}
}

// later is another archive of the same owner, with the same members but for
// their contents.
func (v *victim) later(t *testing.T, volume int64) *victim {
	t.Helper()
	w := &victim{path: filepath.Join(t.TempDir(), "x.tar.zst"), key: v.key, pinned: v.pinned}
	w.entries, w.content = archive.SampleMembers(100)
	w.make(t, volume)
	return w
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, a.volume)
			if err := v.use(t.Context(), nil); err != nil {
				t.Fatalf("before the attack: %v", err)
			}
			a.do(t, v)
			refused(t, v.use(t.Context(), nil), a.says)
			for _, name := range strings.Fields(a.held) {
				exists(t, name)
			}
		})
	}
}

// refused wants exit code 4, a hint and a message that says where it lies.
func refused(t *testing.T, err error, says string) {
	t.Helper()
	var coder interface{ ExitCode() int }
	switch {
	case err == nil:
		t.Fatal("it went unnoticed")
	case !errors.As(err, &coder) || coder.ExitCode() != 4:
		t.Errorf("it does not end with 4: %v", err)
	case hint.Of(err) == "":
		t.Errorf("no hint with %v", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("it does not say %q: %v", says, err)
	}
}

// exists looks for a test: its name, behind the folder of another package.
func exists(t *testing.T, name string) {
	t.Helper()
	dir, name, ok := strings.Cut(name, "/")
	if !ok {
		dir, name = "archive", dir
	}
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte("\nfunc "+name+"(")) {
			return
		}
	}
	t.Errorf("there is no %s in pkg/%s", name, dir)
}

// TestReplaced: an archive is whole and signed when it is verified, and another
// one when it is used; that one is of the same owner, and would pass by itself.
func TestReplaced(t *testing.T) {
	t.Parallel()
	v := newVictim(t, 0)
	later := v.later(t, 0).read(t, "")
	own := v.read(t, "")
	refused(t, v.use(t.Context(), func() { v.write(t, "", later) }), "bin/install-linux-amd64 is damaged")

	// Every way to read, also of a member that was read before the swap.
	v.write(t, "", own)
	r, closer, err := archive.OpenPath(v.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	const name = "images/blobs/large"
	f, err := r.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Proven now; what was decoded for it stays in memory, and may be answered from.
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 10), 2<<20); err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	v.write(t, "", later)
	for how, read := range map[string]func() error{
		"ReadFile": func() error { _, err := r.ReadFile("images/blobs/two"); return err },
		"Open": func() error {
			f, err := r.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(io.Discard, f)
			return err
		},
		"ReadAt": func() error {
			f, err := r.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.(io.ReaderAt).ReadAt(make([]byte, 10), 1<<20)
			return err
		},
		"CopyFS":  func() error { return os.CopyFS(t.TempDir(), r) },
		"Verify":  func() error { return r.Verify(t.Context(), nil, nil) },
		"WalkDir": func() error { return walk(r) },
	} {
		err := read()
		if !slices.ContainsFunc(archive.Damages(err), func(d *archive.DamageError) bool { return d.Path != "" }) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// walk reads everything.
func walk(from fs.FS) error {
	return fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = fs.ReadFile(from, path)
		return err
	})
}
