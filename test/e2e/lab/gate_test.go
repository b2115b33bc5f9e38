package lab

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// gated is a gate before a folder with one file of 300,000 bytes.
func gated(t *testing.T) *Gate {
	t.Helper()
	t.Setenv("KUBECRATE_LAB_CACHE", t.TempDir())
	l, err := New(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(strings.Repeat("abc", 100_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := l.Serve(dir)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func fetch(t *testing.T, g *Gate, wait time.Duration) (body string, status int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/file", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	data, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); cerr != nil {
		t.Error(cerr)
	}
	return string(data), resp.StatusCode, err
}

func TestGate(t *testing.T) {
	g := gated(t)
	const size = 300_000
	file := regexp.MustCompile(`/file$`)
	for _, c := range []struct {
		name   string
		fault  Fault
		length int
		status int
		fails  bool
		begins string
	}{
		{"well", Fault{Path: regexp.MustCompile(`/other`), Status: 500}, size, 200, false, "abc"},
		{"status", Fault{Path: file, Status: 503}, len("Service Unavailable\n"), 503, false, "Serv"},
		{"cut", Fault{Path: file, Cut: 100_001}, 100_001, 200, true, "abc"},
		{"corrupt", Fault{Corrupt: true}, size, 200, false, "`bc"},
		{"hang", Fault{Hang: true}, 0, 200, true, ""},
		{"slow", Fault{Rate: 10e6}, size, 200, false, "abc"},
	} {
		g.Break(c.fault)
		g.Reset()
		body, status, err := fetch(t, g, time.Second)
		if len(body) != c.length || status != c.status || (err != nil) != c.fails || !strings.HasPrefix(body, c.begins) {
			t.Errorf("%s: %d bytes, status %d, %v", c.name, len(body), status, err)
		}
		if status == 200 && g.Total() != int64(c.length) {
			t.Errorf("%s: %d bytes counted, %d came", c.name, g.Total(), c.length)
		}
	}
	g.Break(Fault{Cut: 5, Times: 1})
	if _, _, err := fetch(t, g, time.Second); err == nil {
		t.Error("the first request was not cut")
	}
	if body, _, err := fetch(t, g, time.Second); err != nil || len(body) != size {
		t.Errorf("the second request: %d bytes, %v", len(body), err)
	}
}
