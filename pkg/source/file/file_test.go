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
		"another content":    {url: "sub/net.yml", sha256: other, want: "digest is sha256:" + sum + ", want sha256:" + other, hint: "write its sha256 to the manifest"},
		"missing":            {url: "sub/none.yml", want: "sub/none.yml: no such file or directory"},
		"404":                {url: server.URL + "/none.yml", want: "404 Not Found"},
		"http elsewhere":     {url: "http://mirror.example/x", want: "http is allowed only to this machine", hint: "--insecure"},
		"a directory":        {url: "sub", want: "not a regular file"},
		"too large":          {url: "huge", want: "the limit is 67108864", hint: "64 MiB"},
		"unreadable address": {url: "https://%zz/", want: "invalid URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFetcher(t)
			mf := manifest.File{URL: manifest.URLs{c.url}, Path: "manifests/net.yml", SHA256: c.sha256, Roles: []manifest.Role{manifest.Master}}
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
			digest, err := file.Fetch(t.Context(), newFetcher(t), got, nil, dir)
			if err != nil || digest != "sha256:"+sum {
				t.Errorf("Fetch: %s, %v", digest, err)
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
		if _, err := file.Resolve(t.Context(), f, manifest.File{URL: manifest.URLs{server.URL + "/x"}, Path: "x", SHA256: sum}, ""); err != nil {
			t.Fatal(err)
		}
	}
	_, err := file.Resolve(t.Context(), f, manifest.File{URL: manifest.URLs{server.URL + "/x"}, Path: "x"}, "")
	var status *source.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusNotFound {
		t.Errorf("unpinned: error is %v", err)
	}
	if got := len(rec.Requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// TestPlaces: one place after the other is tried, when a file is locked and when what
// is locked is fetched; what this program has itself is asked of no one.
func TestPlaces(t *testing.T) {
	t.Parallel()
	content := []byte("content")
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	gone := httptest.NewServer(sourcetest.Status(http.StatusNotFound))
	t.Cleanup(gone.Close)
	there := httptest.NewServer(sourcetest.Content(content))
	t.Cleanup(there.Close)
	mf := manifest.File{URL: manifest.URLs{gone.URL + "/x", there.URL + "/x"}, Path: "files/x"}
	got, err := file.Resolve(t.Context(), newFetcher(t), mf, "")
	if err != nil || got.SHA256 != sum || got.URL != gone.URL+"/x" {
		t.Fatalf("%+v, %v", got, err)
	}
	if digest, err := file.Fetch(t.Context(), newFetcher(t), got, &mf, ""); err != nil || digest != "sha256:"+sum {
		t.Errorf("fetched again: %s, %v", digest, err)
	}
	if _, err := file.Fetch(t.Context(), newFetcher(t), got, nil, ""); err == nil {
		t.Error("without the manifest only the first place is known, and it has nothing")
	}

	rec := sourcetest.Record(sourcetest.Status(http.StatusNotFound))
	silent := httptest.NewServer(rec)
	t.Cleanup(silent.Close)
	const name = "embedded:kube-flannel-0.14.0.yml"
	mf = manifest.File{URL: manifest.URLs{silent.URL + "/f.yml", name}, Path: "manifests/f.yml", SHA256: "adffe27e66ce9e39af59f313711bee5ea88ce161683da7a089a7301093736646"}
	got, err = file.Resolve(t.Context(), newFetcher(t), mf, "")
	if err != nil || got.SHA256 != mf.SHA256 || got.URL != silent.URL+"/f.yml" || got.Size == 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if digest, err := file.Fetch(t.Context(), newFetcher(t), got, &mf, ""); err != nil || digest != "sha256:"+mf.SHA256 {
		t.Errorf("fetched again: %s, %v", digest, err)
	}
	mf.SHA256 = sum
	if _, err := file.Resolve(t.Context(), newFetcher(t), mf, ""); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("an embedded file of another sha256: %v", err)
	}
	if len(rec.Requests()) != 0 {
		t.Errorf("%d requests for what is at hand", len(rec.Requests()))
	}
}
