package source_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/source"
	st "kubecrate/pkg/source/sourcetest"
	"kubecrate/pkg/store"
)

const mib = 1 << 20

// random is n bytes that are the same in every run.
func random(n int) []byte {
	var seed [32]byte
	seed[0] = byte(n)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// eventLog collects progress.
type eventLog struct {
	mu   sync.Mutex
	list []progress.Event
}

func (l *eventLog) add(e progress.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, e)
}

func (l *eventLog) of(kind progress.Kind) (found []progress.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.list {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quick has short times, for servers that fail on purpose.
func quick() source.Options {
	return source.Options{Stall: 200 * time.Millisecond, Retries: 3, Backoff: time.Millisecond}
}

// patient is for servers that are right, on a machine that may be busy.
func patient() source.Options {
	o := quick()
	o.Stall = 20 * time.Second
	return o
}

func newFetcher(t testing.TB, o source.Options) *source.Fetcher {
	t.Helper()
	return source.New(newStore(t, t.TempDir()), o)
}

func blobOf(data []byte, urls ...string) source.Blob {
	b := source.Blob{Name: "thing", Digest: digestOf(data), Size: int64(len(data))}
	for _, u := range urls {
		b.Locations = append(b.Locations, source.Location{URL: u})
	}
	return b
}

// wantStored checks that the store holds data, and nothing is left over.
func wantStored(t *testing.T, s *store.Store, data []byte) {
	t.Helper()
	if err := s.Verify(t.Context(), digestOf(data)); err != nil {
		t.Error(err)
	}
	if left := partials(t, s); len(left) > 0 {
		t.Errorf("partial downloads are left: %v", left)
	}
}

func partials(t *testing.T, s *store.Store) map[string]int64 {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir(), "partial"))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Name()] = info.Size()
	}
	return sizes
}

// TestMirrors has one table of what mirrors do: the fetch succeeds all the same
// and takes the bytes from where it should.
func TestMirrors(t *testing.T) {
	t.Parallel()
	data := random(3 * mib)
	good := st.Content(data)
	longer := append(append([]byte(nil), data...), 1)
	for name, c := range map[string]struct {
		mirrors []http.Handler
		from    int // index of the mirror that brings it
		asked   int // requests to the first one
	}{
		"one good":                  {[]http.Handler{good}, 0, 1},
		"500 twice, then good":      {[]http.Handler{st.First(2, st.Status(500), good)}, 0, 3},
		"500 for ever":              {[]http.Handler{st.Status(500), good}, 1, 3},
		"429 with Retry-After":      {[]http.Handler{st.First(1, st.Status(429, "Retry-After", "0"), good)}, 0, 2},
		"429 with a long wait":      {[]http.Handler{st.Status(429, "Retry-After", "3600"), good}, 1, 1},
		"404":                       {[]http.Handler{st.Status(404), good}, 1, 1},
		"403":                       {[]http.Handler{st.Status(403), good}, 1, 1},
		"hangs before the head":     {[]http.Handler{st.Hang(), good}, 1, 1},
		"hangs, alone":              {[]http.Handler{st.First(1, st.Hang(), good)}, 0, 2},
		"hangs in the middle":       {[]http.Handler{st.First(1, st.HangAt(mib, good), good)}, 0, 2},
		"cut once":                  {[]http.Handler{st.First(1, st.CutAt(2*mib, good), good)}, 0, 2},
		"cut at every MiB":          {[]http.Handler{st.CutAt(mib+mib/4, good)}, 0, 3},
		"cut always at once":        {[]http.Handler{st.CutAt(10, good), good}, 1, 3},
		"wrong bytes":               {[]http.Handler{st.Corrupt(5, good), good}, 1, 1},
		"too long":                  {[]http.Handler{st.Content(longer), good}, 1, 1},
		"too short":                 {[]http.Handler{st.Content(data[:mib]), good}, 1, 1},
		"endless":                   {[]http.Handler{st.Endless(), good}, 1, 1},
		"cut, and knows no Range":   {[]http.Handler{st.First(1, st.CutAt(2*mib, good), st.NoRange(good))}, 0, 2},
		"no length":                 {[]http.Handler{noLength(data)}, 0, 1},
		"cut, then wrong, then all": {[]http.Handler{st.First(1, st.CutAt(mib, st.Corrupt(3, good)), good)}, 0, 3},
		"gives another range":       {[]http.Handler{st.First(1, st.CutAt(mib, good), wrongRange(good))}, 0, 3},
		"redirected":                {[]http.Handler{st.First(1, st.Status(302, "Location", "/there"), good)}, 0, 2},
		"redirected for ever":       {[]http.Handler{st.Status(302, "Location", "/there"), good}, 1, 11 - 1},
		"redirected away":           {[]http.Handler{st.Status(302, "Location", "http://mirror.example/x"), good}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			var first *st.Recorder
			for i, h := range c.mirrors {
				rec := st.Record(h)
				if i == 0 {
					first = rec
				}
				urls = append(urls, serve(t, rec)+"/blob")
			}
			f := newFetcher(t, quick())
			res, err := f.Fetch(t.Context(), blobOf(data, urls...))
			if err != nil {
				t.Fatal(err)
			}
			if want := (source.Result{Digest: digestOf(data), Size: int64(len(data)), URL: urls[c.from]}); res != want {
				t.Errorf("got %+v, want %+v", res, want)
			}
			if got := len(first.Requests()); got != c.asked {
				t.Errorf("the first mirror was asked %d times, want %d", got, c.asked)
			}
			wantStored(t, f.Store(), data)
		})
	}
}

func noLength(data []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(data)
	})
}

// wrongRange answers Range requests from byte 7 on.
func wrongRange(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			r.Header.Set("Range", "bytes=7-")
			r.Header.Del("If-Range")
		}
		h.ServeHTTP(w, r)
	})
}

// TestEverythingFails checks what the user reads, and the hint.
func TestEverythingFails(t *testing.T) {
	t.Parallel()
	data := random(1000)
	good := st.Content(data)
	for name, c := range map[string]struct {
		mirrors []http.Handler
		want    string // A, B ... stand for the URLs
		hint    string
	}{
		"500 and wrong bytes": {
			[]http.Handler{st.Status(500), st.Corrupt(0, good)},
			"cannot fetch thing: A: 500 Internal Server Error (3 tries); B: digest is sha256:", "bundle lock",
		},
		"404":        {[]http.Handler{st.Status(404)}, "cannot fetch thing: A: 404 Not Found", "curl -I "},
		"hang":       {[]http.Handler{st.Hang()}, "cannot fetch thing: A: no answer for 200ms (3 tries)", "same command again"},
		"stall":      {[]http.Handler{st.HangAt(10, good)}, "cannot fetch thing: A: stalled: no byte for 200ms, after 30 of 1000 bytes (3 tries)", "same command again"},
		"cut":        {[]http.Handler{st.CutAt(10, st.NoRange(good))}, "cannot fetch thing: A: cut after 10 of 1000 bytes: unexpected EOF (3 tries)", "same command again"},
		"too long":   {[]http.Handler{st.Content(random(1001))}, "cannot fetch thing: A: it has 1001 bytes, want 1000", ""},
		"too short":  {[]http.Handler{st.Content(data[:999])}, "cannot fetch thing: A: it has 999 bytes, want 1000", ""},
		"endless":    {[]http.Handler{st.Endless()}, "cannot fetch thing: A: it sends more than 1000 bytes", ""},
		"downgrade":  {[]http.Handler{st.Status(301, "Location", "http://mirror.example/?token=secret")}, "cannot fetch thing: A: refused to follow a redirect to http://mirror.example: http is allowed only to this machine", "--insecure"},
		"to a file":  {[]http.Handler{st.Status(301, "Location", "file:///etc/passwd")}, `cannot fetch thing: A: refused to follow a redirect to file://: want an https URL, not "file://"`, ""},
		"no mirrors": {nil, "cannot fetch thing: no known location", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			want := c.want
			for i, h := range c.mirrors {
				urls = append(urls, serve(t, h)+"/x")
				want = strings.Replace(want, string(rune('A'+i))+": ", urls[i]+": ", 1)
			}
			f := newFetcher(t, quick())
			_, err := f.Fetch(t.Context(), blobOf(data, urls...))
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("error is\n%v, want\n%s", err, want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %q", err)
			}
			if got := hint.Of(err); !strings.Contains(got, c.hint) {
				t.Errorf("hint is %q, want %q", got, c.hint)
			}
			if _, ok := f.Store().Stat(digestOf(data)); ok {
				t.Error("it is in the store")
			}
		})
	}
}

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	data := random(10)
	for url, want := range map[string]string{
		"http://mirror.example/x":            "http://mirror.example/x: http is allowed only to this machine",
		"http://user:pw@mirror.example/x":    "http://***@mirror.example/x: http is allowed only",
		"http://localhost.evil.example/x":    "http is allowed only to this machine",
		"http://127.0.0.1.evil.example/x":    "http is allowed only to this machine",
		"ftp://mirror.example/x":             "want an https URL",
		"relative/path":                      "want an https URL",
		"file://elsewhere/x":                 "want file:// with an absolute path",
		"https://mirror.invalid:bad/":        "(an invalid URL): invalid URL",
		"/nonexistent/file":                  "/nonexistent/file: no such file or directory",
		"file://" + filepath.ToSlash("/dev"): "not a regular file",
	} {
		f := newFetcher(t, patient())
		_, err := f.Fetch(t.Context(), blobOf(data, url))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", url, err, want)
		}
	}
}

// TestHTTPSRedirectDowngrade is the downgrade on a real TLS server: the target would be
// allowed as a URL of its own only because it is loopback, so another host is
// named.
func TestHTTPSRedirectDowngrade(t *testing.T) {
	t.Parallel()
	data := random(10)
	tls := httptest.NewTLSServer(st.Status(302, "Location", "http://mirror.example/x"))
	t.Cleanup(tls.Close)
	f := newFetcher(t, patient())
	b := blobOf(data, tls.URL)
	b.Locations[0].Client = tls.Client()
	if _, err := f.Fetch(t.Context(), b); err == nil || !strings.Contains(err.Error(), "refused to follow a redirect to http://mirror.example") {
		t.Errorf("error is %v", err)
	}
	b.Locations[0].Client = nil
	if _, err := f.Fetch(t.Context(), b); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error with an unknown certificate is %v", err)
	}
}

// TestResume cuts at 20 MB: the rest is asked for by Range, and no byte twice.
func TestResume(t *testing.T) {
	t.Parallel()
	const cut = 20_000_000
	data := random(24 * mib)
	rec := st.Record(st.First(1, st.CutAt(cut, st.Content(data)), st.Content(data)))
	f := newFetcher(t, patient())
	if _, err := f.Fetch(t.Context(), blobOf(data, serve(t, rec)+"/x")); err != nil {
		t.Fatal(err)
	}
	got := rec.Requests()
	if len(got) != 2 || got[0].Range != "" || got[1].Range != fmt.Sprintf("bytes=%d-", cut) || got[1].Status != 206 || got[1].Bytes != int64(len(data)-cut) {
		t.Errorf("requests are %+v", got)
	}
	if got[1].Header.Get("If-Range") == "" {
		t.Error("the second request has no If-Range")
	}
	wantStored(t, f.Store(), data)
}

// TestResumeElsewhere goes on at another mirror with what the first one sent.
func TestResumeElsewhere(t *testing.T) {
	t.Parallel()
	data := random(4 * mib)
	first := st.First(1, st.CutAt(3*mib, st.Content(data)), st.Status(404))
	second := st.Record(st.Content(data))
	f := newFetcher(t, patient())
	if _, err := f.Fetch(t.Context(), blobOf(data, serve(t, first), serve(t, second))); err != nil {
		t.Fatal(err)
	}
	if got := second.Requests(); len(got) != 1 || got[0].From != 3*mib || got[0].Bytes != mib {
		t.Errorf("requests are %+v", got)
	}
}

// TestCancelKeepsPartial ends a fetch in the middle; another fetcher goes on.
func TestCancelKeepsPartial(t *testing.T) {
	t.Parallel()
	data := random(4 * mib)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o := quick()
	o.Stall = 10 * time.Second
	var once sync.Once
	var end atomic.Value
	o.Report = func(e progress.Event) {
		switch {
		case e.Kind == progress.Advance && e.Bytes > 0:
			once.Do(func() { time.AfterFunc(50*time.Millisecond, cancel) })
		case e.Kind == progress.Stopped, e.Kind == progress.Failed:
			end.Store(e.Kind)
		}
	}
	f := source.New(newStore(t, dir), o)
	_, err := f.Fetch(ctx, blobOf(data, serve(t, st.HangAt(mib, st.Content(data)))))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if end.Load() != progress.Stopped {
		t.Errorf("it was reported as %v: nothing is wrong with it", end.Load())
	}
	for name, size := range partials(t, f.Store()) {
		if size != mib {
			t.Errorf("%s has %d bytes", name, size)
		}
	}
	rec := st.Record(st.Content(data))
	f = source.New(newStore(t, dir), quick())
	if _, err := f.Fetch(t.Context(), blobOf(data, serve(t, rec))); err != nil {
		t.Fatal(err)
	}
	if got := rec.Requests(); len(got) != 1 || got[0].From != mib || got[0].Bytes != 3*mib {
		t.Errorf("requests are %+v", got)
	}
	wantStored(t, f.Store(), data)
}

// TestBadPartial goes on from a prefix that is wrong: only the digest shows it,
// and then everything is fetched again from the same mirror.
func TestBadPartial(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	for name, bad := range map[string][]byte{
		"wrong":      bytes.Repeat([]byte{7}, mib),
		"whole":      bytes.Repeat([]byte{7}, 2*mib),
		"longer":     bytes.Repeat([]byte{7}, 3*mib),
		"right":      data[:mib],
		"all of it":  data,
		"one beyond": append(append([]byte(nil), data...), 0),
	} {
		for _, size := range []int64{int64(len(data)), -1} {
			t.Run(fmt.Sprintf("%s, size %d", name, size), func(t *testing.T) {
				t.Parallel()
				s := newStore(t, t.TempDir())
				b := blobOf(data, serve(t, st.Content(data)))
				b.Size = size
				path := filepath.Join(s.Dir(), "partial", strings.Replace(b.Digest, ":", "-", 1))
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := source.New(s, patient()).Fetch(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				wantStored(t, s, data)
			})
		}
	}
}

func TestOtherAlgorithms(t *testing.T) {
	t.Parallel()
	data := random(1000)
	for _, digest := range []string{
		fmt.Sprintf("sha1:%x", sha1.Sum(data)), fmt.Sprintf("sha512:%x", sha512.Sum512(data)), "",
	} {
		rec := st.Record(st.Content(data))
		f := newFetcher(t, patient())
		b := blobOf(data, serve(t, rec))
		b.Digest = digest
		for range 2 {
			res, err := f.Fetch(t.Context(), b)
			if err != nil || res.Digest != digestOf(data) || res.Size != 1000 {
				t.Fatalf("%s: got %+v, %v", digest, res, err)
			}
		}
		want := 1
		if digest == "" {
			want = 2
		}
		if got := len(rec.Requests()); got != want {
			t.Errorf("%s: %d requests, want %d", digest, got, want)
		}
		b.Digest = "sha1:" + strings.Repeat("0", 40)
		if _, err := f.Fetch(t.Context(), b); err == nil || !strings.Contains(err.Error(), "digest is sha1:") {
			t.Errorf("wrong sha1: error is %v", err)
		}
	}
	for _, bad := range []string{"md5:00", "sha256:abc", "sha256:../../x", strings.ToUpper(digestOf(data))} {
		b := blobOf(data)
		b.Digest = bad
		if _, err := newFetcher(t, patient()).Fetch(t.Context(), b); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// TestUnknownDigest never glues parts of two versions together.
func TestUnknownDigest(t *testing.T) {
	t.Parallel()
	older, newer := random(2*mib), bytes.Repeat([]byte("new"), mib)
	changed := st.First(1, st.CutAt(mib, st.Content(older)), st.Content(newer))
	f := newFetcher(t, patient())
	res, err := f.Fetch(t.Context(), source.Blob{Name: "thing", Size: -1, Locations: []source.Location{{URL: serve(t, changed)}}})
	if err != nil || res.Digest != digestOf(newer) {
		t.Fatalf("got %+v, %v", res, err)
	}
	_, err = f.Fetch(t.Context(), source.Blob{Name: "thing", Size: -1, Limit: 100, Locations: []source.Location{{URL: serve(t, st.Endless())}}})
	if err == nil || !strings.Contains(err.Error(), "it is larger than 100 bytes") {
		t.Errorf("error is %v", err)
	}
	_, err = f.Fetch(t.Context(), source.Blob{Name: "thing", Limit: 100, Locations: []source.Location{{URL: serve(t, st.Content(newer))}}})
	if err == nil || !strings.Contains(err.Error(), "the limit is 100") {
		t.Errorf("error is %v", err)
	}
	if left := partials(t, f.Store()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	data := random(5000)
	path := filepath.Join(t.TempDir(), "a b%20.rpm")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{path, "file://" + strings.ReplaceAll(strings.ReplaceAll(path, "%", "%25"), " ", "%20")} {
		f := newFetcher(t, patient())
		if _, err := f.Fetch(t.Context(), blobOf(data, url)); err != nil {
			t.Error(err)
		}
		wantStored(t, f.Store(), data)
		content, from, err := f.Get(t.Context(), "doc", []source.Location{{URL: url}}, 5000)
		if err != nil || !bytes.Equal(content, data) || from != url {
			t.Errorf("Get: %d bytes from %s, %v", len(content), from, err)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	data := random(100)
	good := st.Content(data)
	for name, c := range map[string]struct {
		handler http.Handler
		want    string // "" succeeds
	}{
		"good":      {good, ""},
		"500 once":  {st.First(1, st.Status(500), good), ""},
		"cut once":  {st.First(1, st.CutAt(10, good), good), ""},
		"hang once": {st.First(1, st.Hang(), good), ""},
		"stall":     {st.First(1, st.HangAt(10, good), good), ""},
		"too large": {st.Content(random(101)), "it is larger than 100 bytes"},
		"endless":   {st.Endless(), "it is larger than 100 bytes"},
		"404":       {st.Status(404), "404 Not Found"},
		"no length": {noLength(data), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, c.handler)
			content, from, err := newFetcher(t, quick()).Get(t.Context(), "doc", []source.Location{{URL: url}}, 100)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v, want %q", err, c.want)
				}
				return
			}
			if err != nil || !bytes.Equal(content, data) || from != url {
				t.Errorf("got %d bytes from %s, %v", len(content), from, err)
			}
		})
	}
}

// TestDamagedCache replaces a byte of a stored blob: it is fetched again.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	data := random(1000)
	url := serve(t, st.Content(data))
	for name, damage := range map[string][]byte{"cut": data[:10], "changed": random(999), "one bit": append([]byte{data[0] ^ 1}, data[1:]...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := newStore(t, dir).Path(digestOf(data))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			write := func() {
				if err := os.WriteFile(path, damage, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write()
			if _, err := source.New(newStore(t, dir), patient()).Fetch(t.Context(), blobOf(data, url)); err != nil {
				t.Error(err)
			}
			wantStored(t, newStore(t, dir), data)
			write()
			var got []byte
			err := source.New(newStore(t, dir), patient()).Consume(t.Context(), blobOf(data, url), func(r io.Reader) (err error) {
				got, err = io.ReadAll(r)
				return err
			})
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("Consume: %d bytes, %v", len(got), err)
			}
			wantStored(t, newStore(t, dir), data)
		})
	}
}

// TestProgress checks the sums, and that the callback is not flooded.
func TestProgress(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	var events eventLog
	o := patient()
	o.Report = events.add
	f := newFetcher(t, o)
	slow := st.Limit(4*mib, st.First(1, st.CutAt(mib, st.Content(data)), st.Content(data)))
	start := time.Now()
	if _, err := f.Fetch(t.Context(), blobOf(data, serve(t, slow))); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if len(events.of(progress.Start)) != 1 || len(events.of(progress.Done)) != 1 || len(events.of(progress.Failed)) != 0 {
		t.Errorf("events are %+v", events.list)
	}
	var sum int64
	advances := events.of(progress.Advance)
	for _, e := range advances {
		sum += e.Bytes
		if e.Task != "thing" || e.Stage != "fetch" {
			t.Errorf("event is %+v", e)
		}
	}
	if most := int(took/(100*time.Millisecond)) + 2; sum != int64(len(data)) || len(advances) > most {
		t.Errorf("%d Advance events in %v sum up to %d", len(advances), took, sum)
	}
	if _, err := f.Fetch(t.Context(), blobOf(data)); err != nil {
		t.Fatal(err)
	}
	if got := len(events.of(progress.Start)); got != 1 {
		t.Errorf("%d downloads were reported, want 1", got)
	}
}

// TestDownHostIsAskedLast does not wait for a dead mirror with every blob.
func TestDownHostIsAskedLast(t *testing.T) {
	t.Parallel()
	var events eventLog
	o := quick()
	o.Report = events.add
	f := newFetcher(t, o)
	dead := st.Record(st.Hang())
	deadURL := serve(t, dead)
	for i := range 5 {
		data := random(1000 + i)
		if _, err := f.Fetch(t.Context(), blobOf(data, deadURL, serve(t, st.Content(data)))); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(dead.Requests()); got != 1 {
		t.Errorf("the dead mirror was asked %d times", got)
	}
	if got := events.of(progress.Warn); len(got) != 1 || !strings.Contains(got[0].Text, "tried last") {
		t.Errorf("warnings are %+v", got)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var now, most int
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
		st.Content([]byte(r.URL.Path)).ServeHTTP(w, r)
	})
	url := serve(t, count)
	o := patient()
	o.Jobs = 2
	f := newFetcher(t, o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			path := fmt.Sprintf("/%d", i)
			if _, err := f.Fetch(t.Context(), blobOf([]byte(path), url+path)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 2 {
		t.Errorf("%d downloads at a time, want 2", most)
	}
}
