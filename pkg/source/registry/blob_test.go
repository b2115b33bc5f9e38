package registry

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
)

// keys is a keychain with one password for one registry.
type keys struct{ registry, user, password string }

func (k keys) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if r.RegistryStr() != k.registry {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func basic(r *http.Request, user, password string) bool {
	return r.Header.Get("Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.host(t, "private.example")
	img := picture(t, "amd64", true, 2)
	w.push(t, "private.example/a/b:1", img)
	h.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if basic(r, "me", "secret") {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	p := w.puller(t, nil, Options{Keychain: keys{"private.example", "me", "secret"}})
	got, err := p.Resolve(t.Context(), manifest.Image{Name: "private.example/a/b:1"}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, got, img)
	if err := fetchLayers(t.Context(), p, got); err != nil {
		t.Error(err)
	}
	p = w.puller(t, nil, Options{Keychain: keys{"private.example", "me", "wrong"}})
	_, err = p.Resolve(t.Context(), manifest.Image{Name: "private.example/a/b:1"}, amd64)
	if err == nil || !strings.Contains(err.Error(), "access denied") || !strings.Contains(hint.Of(err), "docker login private.example") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	// A registry that says more than any registry is quoted.
	for body, want := range map[string]bool{
		`{"errors":[{"code":"DENIED","message":"your plan has expired"}]}`:                      true,
		`{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`: false,
	} {
		h.misbehave(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(body))
			return true
		})
		_, denied := w.puller(t, nil, Options{}).Resolve(t.Context(), manifest.Image{Name: "private.example/a/b:1"}, amd64)
		text := fmt.Sprint(denied)
		if !strings.Contains(text, "access denied, or no such repository") || strings.Contains(text, "plan has expired") != want || strings.Contains(text, "requested access") {
			t.Errorf("%s: %v", body, denied)
		}
	}
	if strings.Contains(fmt.Sprint(err), "wrong") {
		t.Errorf("a password in a message: %v", err)
	}
}

// Tokens are asked for with the scope of the repository, renewed when they
// expire, and never sent to another host.
func TestBearerAuth(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.host(t, "private.example")
	img := picture(t, "amd64", true, 6)
	w.push(t, "private.example/a/b:1", img)
	var issued atomic.Int64
	var uses atomic.Int64
	w.handler(t, "auth.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !basic(r, "me", "secret") || r.URL.Query().Get("scope") != "repository:a/b:pull" || r.URL.Query().Get("service") != "private" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		uses.Store(0)
		_, _ = fmt.Fprintf(w, `{"token":"token-%d"}`, issued.Add(1))
	}))
	storage := w.handler(t, "storage.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		rec := httptest.NewRecorder()
		forwarded := r.Clone(r.Context())
		forwarded.Header.Set("X-From-Storage", "1")
		h.Config.Handler.ServeHTTP(rec, forwarded)
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	h.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-From-Storage") != "" {
			return false
		}
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", issued.Load()) || uses.Add(1) > 3 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://auth.example/token",service="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "https://storage.example"+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	p := w.puller(t, nil, Options{Keychain: keys{"private.example", "me", "secret"}})
	got, err := p.Resolve(t.Context(), manifest.Image{Name: "private.example/a/b:1"}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, got, img)
	if err := fetchLayers(t.Context(), p, got); err != nil {
		t.Error(err)
	}
	if issued.Load() < 2 || storage.asked("/blobs/") < 7 {
		t.Errorf("%d tokens, %d blobs from storage", issued.Load(), storage.asked("/blobs/"))
	}
	p = w.puller(t, nil, Options{Keychain: keys{"private.example", "me", "wrong"}})
	_, err = p.Resolve(t.Context(), manifest.Image{Name: "private.example/a/b:1"}, amd64)
	if err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestBlobsFromBadMirrors(t *testing.T) {
	t.Parallel()
	for title, bad := range map[string]func(http.Handler) func(w http.ResponseWriter, r *http.Request) bool{
		"cut": func(inner http.Handler) func(w http.ResponseWriter, r *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") || r.Header.Get("X-Inner") != "" || r.Header.Get("Range") != "" {
					return false
				}
				rec := httptest.NewRecorder()
				again := r.Clone(r.Context())
				again.Header.Set("X-Inner", "1")
				inner.ServeHTTP(rec, again)
				w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
				_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
				return true
			}
		},
		"wrong bytes": func(http.Handler) func(w http.ResponseWriter, r *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					return false
				}
				_, _ = w.Write([]byte("these are not the bytes that were asked for"))
				return true
			}
		},
		"not there": func(http.Handler) func(w http.ResponseWriter, r *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/blobs/") {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
				return false
			}
		},
		"closed": func(http.Handler) func(w http.ResponseWriter, r *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/blobs/") {
					panic(http.ErrAbortHandler)
				}
				return false
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.host(t, "k8s.gcr.io")
			mirror := w.host(t, "mirror.example")
			img := picture(t, "amd64", true, 2)
			w.push(t, "k8s.gcr.io/pause:3.1", img)
			w.push(t, "mirror.example/pause:3.1", img)
			mirror.misbehave(bad(mirror.Config.Handler))
			p := w.puller(t, map[string][]string{"k8s.gcr.io": {"mirror.example"}}, Options{})
			got, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
			if err != nil {
				t.Fatal(err)
			}
			if got.Source != "mirror.example/pause:3.1" {
				t.Errorf("source %s", got.Source)
			}
			check(t, p, got, img)
			if err := fetchLayers(t.Context(), p, got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBlobLocations(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.puller(t, map[string][]string{"docker.io": {"one.example", "127.0.0.1:5000/hub"}}, Options{})
	img := manifest.LockedImage{Name: "nginx:1", Source: "two.example/x/library/nginx:1"}
	digest := "sha256:" + strings.Repeat("a", 64)
	blob, err := p.Blob(t.Context(), img, manifest.LockedBlob{Digest: digest, Size: 7})
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, l := range blob.Locations {
		urls = append(urls, l.URL)
		if l.Client == nil {
			t.Errorf("%s has no client", l.URL)
		}
	}
	want := []string{
		"https://two.example/v2/x/library/nginx/blobs/" + digest,
		"https://one.example/v2/library/nginx/blobs/" + digest,
		"http://127.0.0.1:5000/v2/hub/library/nginx/blobs/" + digest,
		"https://index.docker.io/v2/library/nginx/blobs/" + digest,
	}
	if !slices.Equal(urls, want) || blob.Size != 7 || blob.Digest != digest || blob.Name != "nginx:1 aaaaaaaaaaaa" {
		t.Errorf("%+v: %q", blob, urls)
	}
	if _, err := p.Blob(t.Context(), img, manifest.LockedBlob{Digest: "sha256:../x"}); err == nil {
		t.Error("a bad digest was taken")
	}
	img.Source = "Nonsense"
	if _, err := p.Blob(t.Context(), img, manifest.LockedBlob{Digest: digest}); err == nil {
		t.Error("a bad source was taken")
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.host(t, "k8s.gcr.io")
	img := picture(t, "amd64", false, 2)
	w.push(t, "k8s.gcr.io/pause:3.1", img)
	locked, err := w.puller(t, nil, Options{}).Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	p := w.puller(t, nil, Options{})
	if err := p.Metadata(t.Context(), locked); err != nil {
		t.Fatal(err)
	}
	check(t, p, locked, img)
	before := h.asked("")
	if err := p.Metadata(t.Context(), locked); err != nil || h.asked("") != before {
		t.Errorf("what is in the store was asked for again: %v", err)
	}
	locked.Digest = "sha256:" + strings.Repeat("b", 64)
	if err := p.Metadata(t.Context(), locked); err == nil || !strings.Contains(err.Error(), "cannot fetch image k8s.gcr.io/pause:3.1") {
		t.Errorf("a digest that is not there: %v", err)
	}
}

// From a registry to an archive: what was resolved and unpacked is a layout
// that verifies.
func TestToLayout(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.host(t, "k8s.gcr.io")
	w.push(t, "k8s.gcr.io/a:1", picture(t, "amd64", true, 3))
	w.push(t, "k8s.gcr.io/b:1", picture(t, "amd64", false, 2))
	p := w.puller(t, nil, Options{})
	var images []manifest.LockedImage
	for i, name := range []string{"k8s.gcr.io/a:1", "k8s.gcr.io/b:1"} {
		locked, err := p.Resolve(t.Context(), manifest.Image{Name: name, KeepDigest: i == 1}, amd64)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, locked)
	}
	layers, err := image.Layers(images)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, l := range layers {
		n, err := unpackTo(t, p, root, l)
		if err != nil {
			t.Fatal(err)
		}
		sizes[l.Digest] = n
	}
	files, err := image.Layout(images, func(digest string) ([]byte, error) {
		f, err := p.fetcher.Store().Open(digest)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(f)
		return body, errors.Join(err, f.Close())
	}, func(diffID string) (int64, error) { return sizes[diffID], nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files.Small {
		if err := write(root, f.Path, f.Content); err != nil {
			t.Fatal(err)
		}
	}
	if err := image.Validate(t.Context(), root.FS(), nil); err != nil {
		t.Error(err)
	}
}

func unpackTo(t *testing.T, p *Puller, root *os.Root, l image.Layer) (int64, error) {
	blob, err := p.Blob(t.Context(), l.Image, l.Source.LockedBlob)
	if err != nil {
		return 0, err
	}
	packed, err := p.fetcher.Stream(t.Context(), blob)
	if err != nil {
		return 0, err
	}
	defer func() { _ = packed.Close() }()
	content := io.Reader(packed)
	if !l.Verbatim {
		raw, err := image.UnpackLayer(l.Source, packed)
		if err != nil {
			return 0, err
		}
		defer func() { _ = raw.Close() }()
		content = raw
	}
	body, err := io.ReadAll(content)
	if err != nil {
		return 0, err
	}
	return int64(len(body)), write(root, l.Path, body)
}

func write(root *os.Root, path string, body []byte) error {
	if err := root.MkdirAll("images/blobs/sha256", 0o755); err != nil {
		return err
	}
	return root.WriteFile(path, body, 0o644)
}

func FuzzDocuments(f *testing.F) {
	img, err := random.Image(10, 1)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := img.RawManifest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := image.ParseDocument(body)
		if err != nil {
			return
		}
		if doc.Index != nil {
			entries, others := choose(doc.Index.Manifests, "linux/amd64")
			if len(entries)+len(others) > len(doc.Index.Manifests) {
				t.Fatalf("%d entries are made of %d", len(entries)+len(others), len(doc.Index.Manifests))
			}
			return
		}
		list, err := layers(doc.Manifest.Layers, make([]string, len(doc.Manifest.Layers)))
		if err == nil && len(list) != len(doc.Manifest.Layers) {
			t.Fatalf("%d layers are made of %d", len(list), len(doc.Manifest.Layers))
		}
	})
}

func FuzzSimilar(f *testing.F) {
	f.Add("v1.17.4", "v1.17.3 v1.18 latest \x1b[31m")
	f.Fuzz(func(t *testing.T, tag, list string) {
		if len(tag) > 128 || len(list) > 1<<12 {
			return
		}
		for _, s := range similar(tag, strings.Fields(list)) {
			if s == tag || strings.ContainsAny(s, "\x1b\n") {
				t.Fatalf("%q", s)
			}
		}
	})
}
