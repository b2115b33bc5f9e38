package file_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/source"
	"kubecrate/pkg/source/file"
	"kubecrate/pkg/source/sourcetest"
	"kubecrate/pkg/store"
)

func newFetcher(t *testing.T) *source.Fetcher {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return source.New(s, source.Options{Retries: 1, Backoff: time.Millisecond})
}

func TestResolve(t *testing.T) {
	t.Parallel()
	content := []byte("kind: DaemonSet\n")
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	other := strings.Repeat("0", 64)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sub", "net.yml")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, file.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sourcetest.Files(map[string][]byte{"/net.yml": content}))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		url, sha256 string
		want        string // part of the error
		hint        string
	}{
		"relative":           {url: "sub/net.yml"},
		"relative, upwards":  {url: "sub/../sub/net.yml"},
		"relative, pinned":   {url: "sub/net.yml", sha256: sum},
		"absolute":           {url: path},
		"file URL":           {url: "file://" + path, sha256: sum},
		"http on loopback":   {url: server.URL + "/net.yml"},
		"http, pinned":       {url: server.URL + "/net.yml", sha256: sum},
		"another content":    {url: "sub/net.yml", sha256: other, want: "digest is sha256:" + sum + ", want sha256:" + other, hint: "put its sha256 into the manifest"},
		"missing":            {url: "sub/none.yml", want: "sub/none.yml: no such file or directory"},
		"404":                {url: server.URL + "/none.yml", want: "404 Not Found"},
		"http elsewhere":     {url: "http://mirror.example/x", want: "http is only allowed to this machine", hint: "--insecure"},
		"a directory":        {url: "sub", want: "it is not a regular file"},
		"too large":          {url: "huge", want: "at most 67108864 are taken", hint: "64 MiB"},
		"unreadable address": {url: "https://%zz/", want: "the URL cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFetcher(t)
			mf := manifest.File{URL: c.url, Path: "manifests/net.yml", SHA256: c.sha256, Roles: []manifest.Role{manifest.Master}}
			got, err := file.Resolve(t.Context(), f, mf, dir)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
					t.Errorf("error is %v, want %q; hint is %q", err, c.want, hint.Of(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Path != mf.Path || got.URL != c.url || got.SHA256 != sum || got.Size != int64(len(content)) || len(got.Roles) != 1 {
				t.Errorf("got %+v", got)
			}
			if size, ok := f.Store().Stat("sha256:" + sum); !ok || size != got.Size {
				t.Error("it is not in the store")
			}
			// What the lock says leads to the same content in an empty store.
			res, err := newFetcher(t).Fetch(t.Context(), file.Blob(got, dir))
			if err != nil || res.Digest != "sha256:"+sum {
				t.Errorf("Blob: %+v, %v", res, err)
			}
		})
	}
}

// TestPinnedIsNotFetchedAgain works offline once the content is in the store.
func TestPinnedIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	content := []byte("x")
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	rec := sourcetest.Record(sourcetest.First(1, sourcetest.Content(content), sourcetest.Status(http.StatusNotFound)))
	server := httptest.NewServer(rec)
	t.Cleanup(server.Close)
	f := newFetcher(t)
	for range 2 {
		if _, err := file.Resolve(t.Context(), f, manifest.File{URL: server.URL + "/x", Path: "x", SHA256: sum}, ""); err != nil {
			t.Fatal(err)
		}
	}
	_, err := file.Resolve(t.Context(), f, manifest.File{URL: server.URL + "/x", Path: "x"}, "")
	var status *source.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusNotFound {
		t.Errorf("unpinned: error is %v", err)
	}
	if got := len(rec.Requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}
