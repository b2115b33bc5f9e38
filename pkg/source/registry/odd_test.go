package registry

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
)

// shelf is a registry of documents that no library would write.
type shelf struct {
	blobs map[string]string // by digest
	tags  map[string]string // by "repository:tag"
}

func newShelf() *shelf { return &shelf{blobs: map[string]string{}, tags: map[string]string{}} }

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	if r.URL.Path == "/v2/" {
		return
	}
	n := len(parts)
	body, ok := s.blobs[parts[n-1]]
	if parts[n-2] == "manifests" && !ok {
		body, ok = s.tags[strings.Join(parts[:n-2], "/")+":"+parts[n-1]]
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(body))
}

func (s *shelf) put(body string) (digest string) {
	digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body)))
	s.blobs[digest] = body
	return digest
}

// image adds a manifest whose config is of a type (without the key where it is
// "") and has a text.
func (s *shelf) image(configType, config string, layers int) (body, digest string) {
	kind := ""
	if configType != "" {
		kind = `"mediaType":"` + configType + `",`
	}
	list := make([]string, layers)
	for i := range list {
		list[i] = fmt.Sprintf(`{"mediaType":%q,"size":5,"digest":%q}`, image.DockerLayer+".gzip", s.put(fmt.Sprintf("lay%02d", i)))
	}
	body = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{%s"size":%d,"digest":%q},"layers":[%s]}`,
		image.DockerManifest, kind, len(config), s.put(config), strings.Join(list, ","))
	return body, s.put(body)
}

func configOf(arch string, layers int) string {
	ids := make([]string, layers)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"sha256:%064x"`, i)
	}
	return fmt.Sprintf(`{"architecture":%q,"os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}`, arch, strings.Join(ids, ","))
}

const schema1 = `{"schemaVersion":1,"name":"x","tag":"1","fsLayers":[{"blobSum":"sha256:aa"}]}`

func resolveAt(t *testing.T, w *world, mirrors map[string][]string, name string) (manifest.LockedImage, error) {
	t.Helper()
	return w.puller(t, mirrors, Options{}).Resolve(t.Context(), manifest.Image{Name: name}, amd64)
}

// What a config is follows from its content: docker 1.10 gave it no type of its own.
func TestConfigOfAnotherType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"application/octet-stream", "", "text/plain", image.OCIConfig} {
		for _, layers := range []int{0, 2} {
			w, s := newWorld(), newShelf()
			body, digest := s.image(kind, configOf("amd64", layers), layers)
			s.tags["x:1"] = body
			w.handler(t, "k8s.gcr.io", s)
			got, err := resolveAt(t, w, nil, "k8s.gcr.io/x:1")
			if err != nil || got.Digest != digest || len(got.Layers) != layers || layers > 0 && got.Layers[1].DiffID != fmt.Sprintf("sha256:%064x", 1) {
				t.Errorf("%q, %d layers: %+v, %v", kind, layers, got, err)
			}
		}
	}
	for kind, c := range map[string]struct{ config, want, hint string }{
		"application/vnd.cncf.helm.config.v1+json": {`{"name":"a","version":"1"}`, `not a container image: its config, of type "application/vnd.cncf.helm.config.v1+json"`, "helm template"},
		"application/vnd.oci.empty.v1+json":        {`{}`, "not a container image", "files"},
		"application/vnd.x":                        {"not JSON", "not a container image", "files"},
		image.OCIConfig:                            {"not JSON", "cannot read config", "--mirror"},
	} {
		w, s := newWorld(), newShelf()
		s.tags["x:1"], _ = s.image(kind, c.config, 0)
		w.handler(t, "k8s.gcr.io", s)
		if _, err := resolveAt(t, w, nil, "k8s.gcr.io/x:1"); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%q: %v, hint %q", kind, err, hint.Of(err))
		}
	}
}

// An entry of an index that nobody asks for does no harm, one without a
// platform is judged by its config.
func TestOddIndexEntries(t *testing.T) {
	t.Parallel()
	s := newShelf()
	body, right := s.image(image.DockerConfig, configOf("amd64", 1), 1)
	_, arm := s.image(image.DockerConfig, configOf("arm64", 1), 1)
	_, chart := s.image("application/vnd.cncf.helm.config.v1+json", `{"name":"a"}`, 0)
	plain := func(digest string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q}`, image.DockerManifest, digest)
	}
	on := func(digest, platform string) string {
		return fmt.Sprintf(`{"digest":%q,"size":%d,"platform":%s}`, digest, len(s.blobs[digest]), platform)
	}
	amd := `{"os":"linux","architecture":"amd64"}`
	absentDigest := "sha256:" + strings.Repeat("0", 64)
	nested := `{"schemaVersion":2,"manifests":[` + plain(right) + `]}`
	inner := s.put(nested)
	for title, c := range map[string]struct{ entries, want string }{
		"no platform":               {plain(right), ""},
		"no platform, among others": {plain(arm) + "," + plain(absentDigest) + "," + plain(right), ""},
		"platform of nothing":       {on(right, `{}`), ""},
		"half a platform":           {on(right, `{"os":"linux"}`), ""},
		"no size":                   {`{"digest":"` + right + `","platform":` + amd + `}`, ""},
		"named before unnamed":      {plain(arm) + "," + on(right, amd), ""},
		"odd digests":               {on("sha512:abc", `{"os":"linux","architecture":"arm64"}`) + `,{"digest":"sha256:../x"},` + on(right, amd), ""},
		"no descriptors":            {`null,7,"x",[],{"size":"12"},{"platform":"linux"},` + on(right, amd), ""},
		"negative size":             {`{"digest":"` + arm + `","size":-1,"platform":{"os":"linux","architecture":"arm64"}},` + on(right, amd), ""},
		"chart first":               {on(chart, amd) + "," + on(right, amd), ""},
		"attestation": {`{"digest":"` + absentDigest + `","annotations":{"vnd.docker.reference.type":"attestation-manifest"},"platform":{"os":"unknown","architecture":"unknown"}},` +
			`{"digest":"` + absentDigest + `","annotations":{"vnd.docker.reference.type":"attestation-manifest"}},` + on(right, amd), ""},
		"index in an index":   {on(inner, amd), ""},
		"index, no platform":  {plain(inner), ""},
		"others only":         {plain(arm), "it is for linux/arm64, not for linux/amd64"},
		"sha512 wanted":       {on("sha512:abc", amd), "its entry for linux/amd64: digest \"sha512:abc\" is of an algorithm that is not supported"},
		"wanted, not there":   {on(absentDigest, amd) + "," + plain(right), "404 Not Found"},
		"nothing but nothing": {"", "names no platform"},
	} {
		w, there := newWorld(), newShelf()
		there.blobs = s.blobs
		there.tags["x:1"] = `{"schemaVersion":2,"mediaType":"` + image.OCIIndex + `","manifests":[` + c.entries + `]}`
		w.handler(t, "k8s.gcr.io", there)
		got, err := resolveAt(t, w, nil, "k8s.gcr.io/x:1")
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", title, err, c.want)
			}
			continue
		}
		if err != nil || got.Digest != right || got.Size != int64(len(body)) || got.Index != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(there.tags["x:1"]))) {
			t.Errorf("%s: %+v, %v", title, got, err)
		}
	}
}

// A mirror that has something of no use is passed over, and named where nobody
// has better.
func TestMirrorOfNoUse(t *testing.T) {
	t.Parallel()
	s := newShelf()
	right, digest := s.image(image.DockerConfig, configOf("amd64", 1), 1)
	arm, armDigest := s.image(image.DockerConfig, configOf("arm64", 1), 1)
	chart, _ := s.image("application/vnd.cncf.helm.config.v1+json", `{"name":"a"}`, 0)
	for title, c := range map[string]struct{ body, says, hint string }{
		"schema 1":          {schema1, "docker schema 1", "docker push"},
		"another platform":  {arm, "it is for linux/arm64, not for linux/amd64", "linux/amd64"},
		"index of others":   {`{"schemaVersion":2,"manifests":[{"digest":"` + armDigest + `","platform":{"os":"linux","architecture":"arm64"}}]}`, "it is for linux/arm64", "linux/amd64"},
		"index of no use":   {`{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("0", 64) + `","platform":{"os":"linux","architecture":"amd64"}}]}`, "its entry for linux/amd64: cannot fetch", "--mirror"},
		"chart":             {chart, "not a container image", "helm template"},
		"foreign layers":    {strings.Replace(right, "rootfs.diff", "rootfs.foreign.diff", 1), "non-distributable", "--mirror"},
		"layers of another": {strings.Replace(right, `"layers":[`, `"layers":[{"mediaType":"`+image.DockerLayer+`","size":1,"digest":"sha256:`+strings.Repeat("2", 64)+`"},`, 1), "1 diffIDs for 2 layers", "--mirror"},
	} {
		w, mirror, origin := newWorld(), newShelf(), newShelf()
		mirror.blobs, origin.blobs = s.blobs, s.blobs
		mirror.tags["gc/x:1"], origin.tags["x:1"] = c.body, right
		w.handler(t, "mirror.example", mirror)
		w.handler(t, "k8s.gcr.io", origin)
		mirrors := map[string][]string{"k8s.gcr.io": {"mirror.example/gc"}}
		got, err := resolveAt(t, w, mirrors, "k8s.gcr.io/x:1")
		if err != nil || got.Digest != digest || got.Source != "k8s.gcr.io/x:1" {
			t.Errorf("%s: %+v, %v", title, got, err)
		}
		delete(origin.tags, "x:1")
		_, err = resolveAt(t, w, mirrors, "k8s.gcr.io/x:1")
		for _, want := range []string{"mirror.example/gc/x:1: ", c.says, "k8s.gcr.io/x:1: not found"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %q", title, err, want)
			}
		}
		if !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: hint %q", title, hint.Of(err))
		}
	}
}

// What a digest names is the same everywhere: one answer settles it.
func TestPinnedOfNoUse(t *testing.T) {
	t.Parallel()
	w, s := newWorld(), newShelf()
	_, digest := s.image(image.DockerConfig, configOf("arm64", 1), 1)
	w.handler(t, "mirror.example", s)
	origin := w.handler(t, "k8s.gcr.io", s)
	_, err := resolveAt(t, w, map[string][]string{"k8s.gcr.io": {"mirror.example"}}, "k8s.gcr.io/x@"+digest)
	if err == nil || !strings.Contains(err.Error(), "it is for linux/arm64") || origin.asked("/manifests/") != 0 {
		t.Errorf("%v, asked %d times", err, origin.asked("/manifests/"))
	}
}

// A registry that limits says so in its own words, and is given its time,
// whatever it is asked for.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	const words = "You have reached your pull rate limit"
	limited := func(w http.ResponseWriter, pause string) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", pause)
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"errors":[{"code":"TOOMANYREQUESTS","message":"` + words + `. See https://docs.example/limits?user=bob&token=s3cret"}]}`))
		return true
	}
	for _, at := range []string{"/v2/", "/token", "/v2/x/manifests/1"} {
		w, s := newWorld(), newShelf()
		s.tags["x:1"], _ = s.image(image.DockerConfig, configOf("amd64", 1), 1)
		h := w.handler(t, "k8s.gcr.io", s)
		w.hosts["auth.example"] = h
		forever := true
		var asked []time.Time
		h.misbehave(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == at {
				asked = append(asked, time.Now())
				if forever {
					return limited(rw, "0")
				}
				if len(asked) == 1 {
					return limited(rw, "1")
				}
			}
			switch {
			case r.URL.Path == "/token":
				_, _ = rw.Write([]byte(`{"token":"t"}`))
				return true
			case r.Header.Get("Authorization") == "":
				rw.Header().Set("WWW-Authenticate", `Bearer realm="https://auth.example/token",service="x"`)
				rw.WriteHeader(http.StatusUnauthorized)
				return true
			}
			return false
		})
		_, err := resolveAt(t, w, nil, "k8s.gcr.io/x:1")
		if err == nil || !strings.Contains(err.Error(), "429 Too Many Requests: "+words) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", at, err)
		}
		if h := hint.Of(err); !strings.Contains(h, "docker login k8s.gcr.io") || !strings.Contains(h, "--mirror k8s.gcr.io=") {
			t.Errorf("%s: hint %q", at, h)
		}
		forever, asked = false, nil
		if _, err := resolveAt(t, w, nil, "k8s.gcr.io/x:1"); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		if len(asked) < 2 || asked[1].Sub(asked[0]) < time.Second {
			t.Errorf("%s: asked again before the time the registry named: %v", at, asked)
		}
	}
}
