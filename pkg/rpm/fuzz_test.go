package rpm_test

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// fixedSigner has the same key in every process: the corpus is shared.
func fixedSigner(f *testing.F) *rpmtest.Signer {
	f.Helper()
	return newSigner(f, rpmtest.SignerOptions{EdDSA: true, Rand: rand.NewChaCha8([32]byte{1})})
}

// addPackages seeds a fuzz target with packages, whole and cut off.
func addPackages(f *testing.F, add func([]byte)) *rpm.Keyring {
	f.Helper()
	s := fixedSigner(f)
	for _, spec := range []rpmtest.Spec{
		{Name: "a", Version: "1"},
		{Name: "b", Epoch: "1", Version: "2", Files: map[string][]byte{"/etc/b": []byte("b"), "/etc/c/": nil},
			Requires: []nevra.Relation{{Name: "a", Op: nevra.GE, EVR: nevra.EVR{Version: "1"}}}},
	} {
		b, err := rpmtest.Build(spec, s)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
		add(b[:len(b)/2])
	}
	add([]byte("version https://git-lfs.github.com/spec/v1\n"))
	return readKeyring(f, s.ArmoredPublicKey())
}

// allocated fails when fn takes more memory than its small input is worth.
func allocated(t *testing.T, input []byte, fn func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; len(input) < 1<<20 && used > 64<<20 {
		t.Fatalf("%d bytes allocated for %d bytes of input", used, len(input))
	}
}

func FuzzReadMetadata(f *testing.F) {
	addPackages(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		allocated(t, b, func() {
			m, err := rpm.ReadMetadata(bytes.NewReader(b))
			if (m == nil) == (err == nil) {
				t.Fatalf("%v, %v", m, err)
			}
			if err == nil && (m.Name == "" || bytes.ContainsAny([]byte(m.FileName()), "/\x00\n")) {
				t.Fatalf("file name %q", m.FileName())
			}
		})
	})
}

func FuzzVerify(f *testing.F) {
	signed := map[string]bool{}
	keys := addPackages(f, func(b []byte) {
		signed[string(b)] = true
		f.Add(b)
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		allocated(t, b, func() {
			v, err := rpm.Verify(bytes.NewReader(b), keys)
			if (v == nil) == (err == nil) {
				t.Fatalf("%v, %v", v, err)
			}
			if err == nil && v.Metadata.Name != "a" && v.Metadata.Name != "b" {
				t.Fatalf("signed for %v", v.Metadata.NEVRA)
			}
			c, err := rpm.Check(bytes.NewReader(b))
			if (c == nil) == (err == nil) || (v != nil && err != nil) {
				t.Fatalf("checked %v, %v", c, err)
			}
			if err == nil {
				agree(t, "input", b, c.Metadata)
			}
		})
	})
}

func FuzzReadKeyring(f *testing.F) {
	s := fixedSigner(f)
	binary, err := s.BinaryPublicKey()
	if err != nil {
		f.Fatal(err)
	}
	sig, err := s.Sign([]byte("data"))
	if err != nil {
		f.Fatal(err)
	}
	file, err := rpmtest.Build(rpmtest.Spec{Name: "a", Version: "1"}, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.ArmoredPublicKey())
	f.Add(binary)
	f.Add(sig)
	f.Fuzz(func(t *testing.T, b []byte) {
		allocated(t, b, func() {
			k, err := rpm.ReadKeyring(bytes.NewReader(b))
			if (k == nil) == (err == nil) || (err == nil && len(k.Keys()) == 0) {
				t.Fatalf("%v, %v", k, err)
			}
			if v, err := rpm.Verify(bytes.NewReader(file), k); err == nil && v.Key.Fingerprint != s.Fingerprint() {
				t.Fatalf("signed by %v", v.Key)
			}
		})
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newSigner(b, rpmtest.SignerOptions{})
	file, err := rpmtest.Build(rpmtest.Spec{Name: "big", Version: "1", Payload: 32 << 20}, s)
	if err != nil {
		b.Fatal(err)
	}
	keys := readKeyring(b, s.ArmoredPublicKey())
	b.Run("32MiB", func(b *testing.B) { benchmarkVerify(b, file, keys) })
	dir := filepath.Join(sharedData(b), "rpms")
	b.Run("EL7", func(b *testing.B) {
		benchmarkVerify(b, readFile(b, dir, "el7-docker-closure/util-linux-2.23.2-65.el7_9.1.x86_64.rpm"),
			readKeyring(b, readFile(b, dir, "cavaliergopher/RPM-GPG-KEY-CentOS-7")))
	})
}

func benchmarkVerify(b *testing.B, file []byte, keys *rpm.Keyring) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rpm.Verify(bytes.NewReader(file), keys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadMetadata(b *testing.B) {
	file := readFile(b, sharedData(b), "rpms/el7-docker-closure/util-linux-2.23.2-65.el7_9.1.x86_64.rpm")
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rpm.ReadMetadata(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
