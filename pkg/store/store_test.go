package store

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// left lists what stands in partial/.
func left(t testing.TB, s *Store) (names []string) {
	t.Helper()
	list, err := os.ReadDir(s.partialDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestDefaultDir(t *testing.T) {
	for _, c := range []struct{ xdg, want string }{
		{"/x", "/x/kubecrate"}, {"", "/home/u/.cache/kubecrate"}, {"relative", "/home/u/.cache/kubecrate"},
	} {
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		t.Setenv("HOME", "/home/u")
		if got, err := DefaultDir(); err != nil || got != c.want {
			t.Errorf("XDG_CACHE_HOME=%q: %q, %v; want %q", c.xdg, got, err, c.want)
		}
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, 3<<20 + 1} {
		s := open(t, t.TempDir())
		data := bytes.Repeat([]byte{'x'}, size)
		want := digestOf(data)
		for _, asked := range []string{"", want, fmt.Sprintf("sha512:%x", sha512.Sum512(data)), fmt.Sprintf("sha1:%x", sha1.Sum(data))} {
			digest, n, err := s.Put(t.Context(), bytes.NewReader(data), asked)
			if err != nil || digest != want || n != int64(size) {
				t.Fatalf("Put(%q) = %s, %d, %v", asked, digest, n, err)
			}
			if asked == "" {
				continue
			}
			if sum, n, ok := s.Lookup(asked); !ok || sum != want || n != int64(size) {
				t.Errorf("Lookup(%s) = %s, %d, %v", asked, sum, n, ok)
			}
			if err := s.Verify(t.Context(), asked); err != nil {
				t.Error(err)
			}
		}
		f, err := s.Open(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if want := filepath.Join(s.Dir(), "blobs/sha256", want[7:9], want[7:]); s.Path(digestOf(data)) != want {
			t.Errorf("Path is %s, want %s", s.Path(digestOf(data)), want)
		}
		if names := left(t, s); len(names) > 0 {
			t.Errorf("left behind: %v", names)
		}
		if err := errors.Join(s.Remove(want), s.Remove(want)); err != nil {
			t.Error(err)
		}
		if _, ok := s.Stat(want); ok {
			t.Error("it is still there")
		}
		if _, err := s.Open(want); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open: %v", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read(b []byte) (int, error) { return copy(b, "some"), f.err }

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	want := digestOf([]byte("other"))
	_, _, err := s.Put(t.Context(), strings.NewReader("this"), want)
	var wrong *DigestError
	if !errors.As(err, &wrong) || wrong.Want != want || wrong.Got != digestOf([]byte("this")) {
		t.Errorf("wrong digest: %v", err)
	}
	if _, _, err := s.Put(t.Context(), failing{io.ErrUnexpectedEOF}, ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut reader: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Put(ctx, strings.NewReader("this"), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if names := left(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	if _, ok := s.Stat(want); ok {
		t.Error("it was stored")
	}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, bad := range []string{
		"", "sha256", "sha256:", "sha256:abc", "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("g", 64),
		"sha256:" + strings.Repeat("0", 63), "md5:" + strings.Repeat("0", 32), "sha256:../../../" + strings.Repeat("0", 55), "sha1:" + strings.Repeat("0", 64),
	} {
		if err := CheckDigest(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
		if s.Path(bad) != "" {
			t.Errorf("Path(%q) = %s", bad, s.Path(bad))
		}
		if _, ok := s.Stat(bad); ok {
			t.Errorf("Stat(%q) finds something", bad)
		}
		_, openErr := s.Open(bad)
		_, partialErr := s.Partial(t.Context(), bad, nil)
		if bad != "" && (openErr == nil || partialErr == nil || s.Remove(bad) == nil) {
			t.Errorf("%q was taken by Open, Partial or Remove", bad)
		}
	}
	for _, good := range []string{"sha1:" + strings.Repeat("0", 40), "sha256:" + strings.Repeat("f", 64), "sha512:" + strings.Repeat("9", 128)} {
		if err := CheckDigest(good); err != nil {
			t.Error(err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("content "), 1000)
	sha512Digest := fmt.Sprintf("sha512:%x", sha512.Sum512(data))
	for name, damage := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:100] },
		"empty":   func([]byte) []byte { return nil },
		"changed": func(b []byte) []byte { b[7] ^= 1; return b },
		"longer":  func(b []byte) []byte { return append(b, 0) },
	} {
		for _, digest := range []string{digestOf(data), sha512Digest} {
			s := open(t, t.TempDir())
			if _, _, err := s.Put(t.Context(), bytes.NewReader(data), digest); err != nil {
				t.Fatal(err)
			}
			path := s.Path(digestOf(data))
			if err := os.WriteFile(path, damage(bytes.Clone(data)), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := s.OpenVerified(digest)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: error is %v", name, err)
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: second error is %v", name, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := s.Verify(t.Context(), digest); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: it was not removed: %v", name, err)
			}
		}
	}
	s := open(t, t.TempDir())
	digest, _, err := s.Put(t.Context(), bytes.NewReader(data), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Verify(ctx, digest); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	// An alias that leads to another blob is found out, the blob stays.
	lie := "sha1:" + strings.Repeat("0", 40)
	if err := s.setAlias(lie, digest); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), lie); !errors.Is(err, ErrDamaged) {
		t.Errorf("lying alias: %v", err)
	}
	if _, _, ok := s.Lookup(lie); ok {
		t.Error("the lying alias is still there")
	}
	if err := s.Verify(t.Context(), digest); err != nil {
		t.Error(err)
	}
}

func TestPartial(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	want := digestOf(data)
	half := len(data) / 2
	p, err := s.Partial(t.Context(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(data[:half]); err != nil {
		t.Fatal(err)
	}
	var wrong *DigestError
	if _, err := p.Commit(); !errors.As(err, &wrong) {
		t.Fatalf("half a blob: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	// As another process would: a second Store on the same directory.
	p, err = open(t, s.Dir()).Partial(t.Context(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Size() != int64(half) || p.resumed != int64(half) {
		t.Errorf("size %d, resumed %d, want %d", p.Size(), p.resumed, half)
	}
	if _, err := p.Write(data[half:]); err != nil {
		t.Fatal(err)
	}
	digest, err := p.Commit()
	if err != nil || digest != want {
		t.Fatalf("Commit: %s, %v", digest, err)
	}
	if _, err := p.Commit(); err == nil {
		t.Error("committed twice")
	}
	b := make([]byte, 10)
	if _, err := p.ReadAt(b, 20); err != nil || string(b) != "0123456789" {
		t.Errorf("ReadAt after Commit: %q, %v", b, err)
	}
	if err := errors.Join(p.Close(), p.Discard()); err != nil {
		t.Error(err)
	}
	if err := s.Verify(t.Context(), want); err != nil {
		t.Error(err)
	}
	// Reset drops content and hash; an empty one leaves nothing.
	p, err = s.Partial(t.Context(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("wrong")); err != nil {
		t.Fatal(err)
	}
	if err := p.Reset(); err != nil || p.Size() != 0 {
		t.Errorf("Reset: %v, size %d", err, p.Size())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if names := left(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestPartialLock lets many take turns on one blob; each adds a byte, nobody
// loses one, and who waits can be canceled.
func TestPartialLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const n = 8
	want := digestOf(bytes.Repeat([]byte{'x'}, n))
	var wg sync.WaitGroup
	for range n {
		s := open(t, dir)
		wg.Go(func() {
			p, err := s.Partial(t.Context(), want, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := p.Write([]byte{'x'}); err != nil {
				t.Error(err)
			}
			if p.Size() == n {
				if _, err := p.Commit(); err != nil {
					t.Error(err)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := open(t, dir)
	if err := s.Verify(t.Context(), want); err != nil {
		t.Error(err)
	}
	if names := left(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	p, err := s.Partial(t.Context(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	waits := 0
	if _, err := s.Partial(ctx, want, func() { waits++ }); !errors.Is(err, context.DeadlineExceeded) || waits != 1 {
		t.Errorf("waited %d times, error is %v", waits, err)
	}
	if err := p.Discard(); err != nil {
		t.Error(err)
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	write := func(text string) *EntryWriter {
		t.Helper()
		w, err := s.CreateEntry("frames-v1", "sha256:ab+c.default")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil || w.file.size != int64(len(text)) {
			t.Fatalf("size %d, %v", w.file.size, err)
		}
		return w
	}
	read := func() string {
		t.Helper()
		f, err := s.Entry("frames-v1", "sha256:ab+c.default")
		if errors.Is(err, fs.ErrNotExist) {
			return "nothing"
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	w := write("first")
	if got := read(); got != "nothing" {
		t.Errorf("before Commit: %q", got)
	}
	if err := errors.Join(w.Commit(), w.Abort()); err != nil {
		t.Fatal(err)
	}
	if w.Commit() == nil {
		t.Error("committed twice")
	}
	if err := write("dropped").Abort(); err != nil {
		t.Error(err)
	}
	if got := read(); got != "first" {
		t.Errorf("after Abort: %q", got)
	}
	if err := write("second").Commit(); err != nil {
		t.Error(err)
	}
	if got := read(); got != "second" {
		t.Errorf("after the second Commit: %q", got)
	}
	if err := errors.Join(s.RemoveEntry("frames-v1", "sha256:ab+c.default"), s.RemoveEntry("frames-v1", "none")); err != nil {
		t.Error(err)
	}
	if got := read(); got != "nothing" {
		t.Errorf("after RemoveEntry: %q", got)
	}
	if names := left(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	for _, bad := range []string{"", ".", "..", ".hidden", "a/b", "../x", "a b", strings.Repeat("x", 300), "a\x00b"} {
		_, err := s.CreateEntry("ns", bad)
		_, err2 := s.Entry(bad, "key")
		if err == nil || err2 == nil || s.RemoveEntry("ns", bad) == nil {
			t.Errorf("name %q was taken", bad)
		}
	}
}

// TestSweep removes what nobody can use, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	old := time.Now().Add(-time.Hour)
	ancient := time.Now().Add(-2 * staleAfter)
	digest := func(c string) string { return "sha256-" + strings.Repeat(c, 64) }
	for name, age := range map[string]time.Time{
		"tmp-1": old, "tmp-2": time.Now(), digest("a"): old, digest("b"): ancient,
	} {
		path := filepath.Join(s.partialDir(), name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, age, age); err != nil {
			t.Fatal(err)
		}
	}
	w, err := s.CreateEntry("ns", "at-work")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(w.file.Name(), old, old); err != nil {
		t.Fatal(err)
	}
	open(t, s.Dir())
	want := []string{digest("a"), "tmp-2", filepath.Base(w.file.Name())}
	got := left(t, s)
	if len(got) != len(want) {
		t.Errorf("left: %v, want %v", got, want)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
}

// TestConcurrentPut is for -race.
func TestConcurrentPut(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			text := fmt.Sprint(i % 4)
			if _, _, err := s.Put(t.Context(), strings.NewReader(text), digestOf([]byte(text))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		if err := s.Verify(t.Context(), digestOf([]byte(fmt.Sprint(i)))); err != nil {
			t.Error(err)
		}
	}
}
