package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"kubecrate/manifest"
	"kubecrate/pkg/source"
	"kubecrate/pkg/store"
)

var amd64 = manifest.Platform{Family: "el7", Arch: "amd64"}

// world is a network of hosts that exist in the test only, by their names.
type world struct {
	mu    sync.Mutex
	hosts map[string]*host
}

// host is a registry over https with a handler before it that may misbehave.
type host struct {
	*httptest.Server
	before func(w http.ResponseWriter, r *http.Request) (handled bool)
	mu     sync.Mutex
	log    []string // "METHOD path" of what was asked
}

func newWorld() *world { return &world{hosts: map[string]*host{}} }

// host adds a registry, real but for its memory.
func (w *world) host(t testing.TB, name string) *host {
	t.Helper()
	return w.handler(t, name, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

func (w *world) handler(t testing.TB, name string, inner http.Handler) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.log = append(h.log, r.Method+" "+r.URL.Path)
		before := h.before
		h.mu.Unlock()
		if before == nil || !before(rw, r) {
			ranged(inner, rw, r)
		}
	}))
	t.Cleanup(h.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name] = h
	return h
}

// ranged lets blobs be resumed, which the registry's handler does not.
func ranged(inner http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Range") == "" {
		inner.ServeHTTP(w, r)
		return
	}
	whole := r.Clone(r.Context())
	whole.Header.Del("Range")
	rec := httptest.NewRecorder()
	inner.ServeHTTP(rec, whole)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(rec.Body.Bytes()))
}

func (h *host) misbehave(f func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = f
}

func (h *host) asked(part string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, l := range h.log {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// RoundTrip takes a request to where its host really listens.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	h := w.hosts[r.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("no route to host %s", r.URL.Host)
	}
	if r.URL.Scheme == "http" && !isLoopback(r.URL.Host) {
		return nil, fmt.Errorf("plain http reached %s", r.URL.Host)
	}
	there := r.Clone(r.Context())
	there.URL.Scheme, there.URL.Host = "http", strings.TrimPrefix(h.URL, "http://")
	resp, err := http.DefaultTransport.RoundTrip(there)
	if err == nil {
		resp.Request = r // the client looks at its scheme
	}
	return resp, err
}

func (w *world) push(t testing.TB, ref string, what any) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{remote.WithTransport(w), remote.WithAuth(authn.Anonymous), remote.WithContext(t.Context())}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(r, what, options...)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, what, options...)
	}
	if err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

func (w *world) puller(t testing.TB, mirrors map[string][]string, o Options) *Puller {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.Transport == nil {
		o.Transport = w
	}
	if o.Keychain == nil {
		o.Keychain = noKeys{}
	}
	return New(source.New(s, source.Options{Retries: 3, Stall: time.Second, Backoff: time.Millisecond, Insecure: o.Insecure}), mirrors, o)
}

type noKeys struct{}

func (noKeys) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// picture makes an image for an architecture, of docker's types or OCI's.
func picture(t testing.TB, arch string, docker bool, layers int) v1.Image {
	t.Helper()
	img, err := random.Image(2000, int64(layers))
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	if docker {
		return img
	}
	return mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
}

func album(docker bool, images map[string]v1.Image) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	if docker {
		index = mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	}
	for _, platform := range []string{"linux/arm/v7", "linux/amd64/v3", "linux/amd64", "linux/arm64/v8", "windows/amd64", "unknown/unknown"} {
		if img, ok := images[platform]; ok {
			p, err := v1.ParsePlatform(platform)
			if err != nil {
				panic(err)
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
		}
	}
	return index
}

func digestIn(t testing.TB, x interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// check compares a locked image with the image it was made from.
func check(t *testing.T, p *Puller, locked manifest.LockedImage, img v1.Image) {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if locked.Digest != digestIn(t, img) || locked.MediaType != string(m.MediaType) || locked.Config.Digest != m.Config.Digest.String() || len(locked.Layers) != len(m.Layers) {
		t.Fatalf("locked %+v is not %+v", locked, m)
	}
	for i, l := range locked.Layers {
		if l.Digest != m.Layers[i].Digest.String() || l.Size != m.Layers[i].Size || l.MediaType != string(m.Layers[i].MediaType) || l.DiffID != config.RootFS.DiffIDs[i].String() {
			t.Errorf("layer %d: %+v is not %+v", i, l, m.Layers[i])
		}
	}
	for _, d := range []string{locked.Digest, locked.Config.Digest} {
		if _, ok := p.fetcher.Store().Stat(d); !ok {
			t.Errorf("%s is not in the store", d)
		}
	}
}

func fetchLayers(ctx context.Context, p *Puller, locked manifest.LockedImage) error {
	for _, l := range locked.Layers {
		blob, err := p.Blob(ctx, locked, l.LockedBlob)
		if err != nil {
			return err
		}
		if _, err := p.fetcher.Fetch(ctx, blob); err != nil {
			return err
		}
	}
	return nil
}
