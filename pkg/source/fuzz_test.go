package source

import (
	"testing"
	"time"
)

// FuzzContentRange: what is taken begins at the byte asked for, and its total
// is no nonsense.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 7-99/100", "bytes 7-99/*", "bytes */100", "", "bytes 7-", "bytes 7-9/-1", "bytes 99999999999999999999-1/2", "items 7-8/9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b body
		if err := b.readRange(text, 7); err == nil && (b.offset != 7 || b.total < -1 || (b.total >= 0 && b.total < 7)) {
			t.Errorf("%q gives offset %d, total %d", text, b.offset, b.total)
		}
	})
}

// FuzzRetryAfter: a pause is never negative.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"0", "120", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text); d < 0 {
			t.Errorf("%q gives %v", text, d)
		}
	})
}

// FuzzURL: whatever is taken is a local path or one of the two schemes, and a
// password is never shown.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://h/p", "http://127.0.0.1:80/", "http://[::1]/", "http://h/", "file:///x", "/x", "https://u:secret@h/", "https:opaque", "//h/p", "http://localhost:80@evil/"} {
		f.Add(s)
	}
	fetcher := New(nil, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		p, err := fetcher.parse(Location{URL: text})
		if err != nil {
			return
		}
		if p.url == nil {
			if p.path == "" || p.path[0] != '/' {
				t.Errorf("%q gives the path %q", text, p.path)
			}
			return
		}
		if p.url.Scheme != "https" && (p.url.Scheme != "http" || !IsLoopback(p.url.Hostname())) {
			t.Errorf("%q was taken", text)
		}
	})
}

// TestBackoff grows, stays within its bounds and varies.
func TestBackoff(t *testing.T) {
	t.Parallel()
	f := New(nil, Options{Backoff: time.Second})
	seen := map[time.Duration]bool{}
	for failed := 1; failed < 100; failed++ {
		full := maxBackoff
		if failed < 5 {
			full = min(full, time.Second<<(failed-1))
		}
		d := f.backoff(failed)
		if d < full/2 || d > full {
			t.Errorf("after %d failures: %v, want %v to %v", failed, d, full/2, full)
		}
		seen[d] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different pauses", len(seen))
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "10.0.0.1": false, "localhost.example": false, "127.0.0.1.example": false, "::ffff:10.0.0.1": false, "127.1": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v", host, got)
		}
	}
}
