package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.host(t, "index.docker.io")
	w.host(t, "k8s.gcr.io")
	w.host(t, "mirror.example:5000")
	schema2, oci, own := picture(t, "amd64", true, 2), picture(t, "amd64", false, 3), picture(t, "amd64", true, 1)
	w.push(t, "nginx:1.14-alpine", schema2)
	w.push(t, "k8s.gcr.io/pause:3.1", oci)
	w.push(t, "mirror.example:5000/google_containers/pause:3.1", own)
	w.push(t, "mirror.example:5000/library/nginx:1.15", own)
	mirrors := map[string][]string{"k8s.gcr.io": {"gone.example/x", "mirror.example:5000/google_containers/"}, "index.docker.io": {"mirror.example:5000"}}
	for title, c := range map[string]struct {
		mirrors                 map[string][]string
		image, canonical, place string
		want                    v1.Image
	}{
		"docker.io":              {nil, "docker.io/library/nginx:1.14-alpine", "nginx:1.14-alpine", "docker.io/library/nginx:1.14-alpine", schema2},
		"oci":                    {nil, "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1", oci},
		"second mirror":          {mirrors, "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1", "mirror.example:5000/google_containers/pause:3.1", own},
		"mirror of docker.io":    {mirrors, "nginx:1.15", "nginx:1.15", "mirror.example:5000/library/nginx:1.15", own},
		"not at the mirror":      {mirrors, "nginx:1.14-alpine", "nginx:1.14-alpine", "docker.io/library/nginx:1.14-alpine", schema2},
		"by digest, with a tag":  {nil, "nginx:any@" + digestIn(t, schema2), "nginx:any@" + digestIn(t, schema2), "docker.io/library/nginx:any", schema2},
		"by digest":              {nil, "k8s.gcr.io/pause@" + digestIn(t, oci), "k8s.gcr.io/pause@" + digestIn(t, oci), "k8s.gcr.io/pause", oci},
		"by digest, not there":   {mirrors, "k8s.gcr.io/pause@" + digestIn(t, oci), "k8s.gcr.io/pause@" + digestIn(t, oci), "k8s.gcr.io/pause", oci},
		"mirror without a place": {map[string][]string{"docker.io": {"mirror.example:5000"}}, "nginx:1.15", "nginx:1.15", "mirror.example:5000/library/nginx:1.15", own},
	} {
		p := w.puller(t, c.mirrors, Options{})
		got, err := p.Resolve(t.Context(), manifest.Image{Name: c.image, Roles: []manifest.Role{manifest.Node}, KeepDigest: true}, amd64)
		if err != nil {
			t.Errorf("%s: %v", title, err)
			continue
		}
		if got.Name != c.canonical || got.Source != c.place || got.Platform != "linux/amd64" || got.Index != "" || !got.KeepDigest || len(got.Roles) != 1 {
			t.Errorf("%s: %+v", title, got)
		}
		check(t, p, got, c.want)
		if got.Roles[0] != manifest.Node {
			t.Errorf("%s: roles %v", title, got.Roles)
		}
		if err := fetchLayers(t.Context(), p, got); err != nil {
			t.Errorf("%s: %v", title, err)
		}
	}
}

func TestResolveIndex(t *testing.T) {
	t.Parallel()
	for _, docker := range []bool{true, false} {
		w := newWorld()
		h := w.host(t, "k8s.gcr.io")
		images := map[string]v1.Image{}
		for _, platform := range []string{"linux/arm/v7", "linux/amd64/v3", "linux/amd64", "linux/arm64/v8", "windows/amd64", "unknown/unknown"} {
			images[platform] = picture(t, "amd64", docker, 1) // as some arm64 images of 2019 say it
		}
		index := album(docker, images)
		w.push(t, "k8s.gcr.io/etcd:3.4.3-0", index)
		for arch, platform := range map[string]string{"amd64": "linux/amd64", "arm64": "linux/arm64/v8"} {
			p := w.puller(t, nil, Options{})
			got, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/etcd:3.4.3-0"}, manifest.Platform{Arch: arch})
			if err != nil {
				t.Errorf("%s: %v", arch, err)
				continue
			}
			check(t, p, got, images[platform])
			if len(got.Roles) != 0 {
				t.Errorf("roles that nobody asked for: %v", got.Roles)
			}
			if got.Index != digestIn(t, index) || got.Platform != "linux/"+arch {
				t.Errorf("%s: %+v", arch, got)
			}
		}
		p := w.puller(t, nil, Options{})
		_, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/etcd:3.4.3-0"}, manifest.Platform{Arch: "s390x"})
		want := "cannot resolve image k8s.gcr.io/etcd:3.4.3-0: k8s.gcr.io/etcd:3.4.3-0: it has nothing for linux/s390x, only for linux/arm/v7, linux/amd64/v3, linux/amd64, linux/arm64/v8, windows/amd64"
		if err == nil || err.Error() != want {
			t.Errorf("no such platform: %v", err)
		}
		if h.asked("/blobs/") == 0 {
			t.Error("no config was asked for")
		}
	}
}

// serve answers every manifest of a repository with the same text.
func serve(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	digest := `"sha256:` + strings.Repeat("a", 64) + `"`
	config := `"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":` + digest + `}`
	layer := func(mediaType string) string {
		return `{"schemaVersion":2,` + config + `,"layers":[{"mediaType":"` + mediaType + `","size":1,"digest":` + digest + `}]}`
	}
	for title, c := range map[string]struct{ body, want string }{
		"schema 1":       {`{"schemaVersion":1,"name":"x","tag":"1","fsLayers":[{"blobSum":` + digest + `}]}`, "docker schema 1"},
		"html":           {"<html>log in to the hotel's network</html>", "it is not a manifest"},
		"empty":          {"", "it is not a manifest"},
		"both":           {`{"schemaVersion":2,` + config + `,"layers":[],"manifests":[]}`, "ambiguous"},
		"neither":        {`{"schemaVersion":2}`, "neither layers nor manifests"},
		"too large":      {`{"schemaVersion":2,"x":"` + strings.Repeat("x", 5<<20) + `"}`, "is larger than"},
		"many layers":    {`{"schemaVersion":2,` + config + `,"layers":[` + strings.Repeat(`{},`, 512) + `{}]}`, "513 layers"},
		"foreign":        {layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "non-distributable"},
		"encrypted":      {layer("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "encrypted"},
		"bad digest":     {strings.Replace(layer("application/vnd.oci.image.layer.v1.tar"), digest, `"sha256:../../x"`, 1), "is not a digest"},
		"sha512":         {strings.Replace(layer("application/vnd.oci.image.layer.v1.tar"), digest, `"sha512:abc"`, 1), "not supported: only sha256"},
		"negative":       {strings.Replace(layer("application/vnd.oci.image.layer.v1.tar"), `"size":1`, `"size":-1`, 1), "negative"},
		"large config":   {strings.Replace(layer("application/vnd.oci.image.layer.v1.tar"), `"size":2`, `"size":99999999`, 1), "at most"},
		"empty index":    {`{"schemaVersion":2,"manifests":[]}`, "names no platform"},
		"another number": {`{"schemaVersion":3,"manifests":[]}`, "schemaVersion is 3"},
		"strange type":   {`{"schemaVersion":2,"mediaType":"application/x","manifests":[]}`, "not an index type"},
	} {
		w := newWorld()
		w.handler(t, "k8s.gcr.io", serve(c.body))
		_, err := w.puller(t, nil, Options{}).Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/x:1"}, amd64)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cannot resolve image k8s.gcr.io/x:1") {
			t.Errorf("%s: %v, want %q", title, err, c.want)
		}
	}
}

func TestResolveOtherArchitecture(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.host(t, "k8s.gcr.io")
	w.push(t, "k8s.gcr.io/pause-arm64:3.1", picture(t, "arm64", true, 1))
	_, err := w.puller(t, nil, Options{}).Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause-arm64:3.1"}, amd64)
	if err == nil || !strings.Contains(err.Error(), "it is for linux/arm64, not for linux/amd64") {
		t.Error(err)
	}
}

func TestResolveAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.host(t, "mirror.example")
	w.host(t, "k8s.gcr.io")
	for _, tag := range []string{"v1.17.3", "v1.17.4", "v1.18.0", "v1.2.3"} {
		w.push(t, "mirror.example/gc/kube-proxy:"+tag, picture(t, "amd64", true, 1))
	}
	mirrors := map[string][]string{"k8s.gcr.io": {"gone.example", "mirror.example/gc"}}
	p := w.puller(t, mirrors, Options{})
	_, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/kube-proxy:v1.17.44"}, amd64)
	for _, want := range []string{
		"cannot resolve image k8s.gcr.io/kube-proxy:v1.17.44: ",
		"gone.example/kube-proxy:v1.17.44: ", "no route to host",
		"; mirror.example/gc/kube-proxy:v1.17.44: not found; k8s.gcr.io/kube-proxy:v1.17.44: not found",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if got, want := hint.Of(err), "no such tag; similar tags: v1.17.4, v1.17.3, v1.18.0"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	_, err = p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/kube-prox:v1.17.4"}, amd64)
	if got, want := hint.Of(err), "check the name and the network, or add a mirror that has it: --mirror k8s.gcr.io=HOST/PREFIX"; err == nil || got != want {
		t.Errorf("%v, hint %q, want %q", err, got, want)
	}
	for _, bad := range []string{"https://mirror.example/gc", "mirror.example/GC", ""} {
		p := w.puller(t, map[string][]string{"k8s.gcr.io": {bad}}, Options{})
		if _, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/x:1"}, amd64); err == nil || !strings.Contains(err.Error(), "mirror") {
			t.Errorf("mirror %q: %v", bad, err)
		}
	}
	if _, err := p.Resolve(t.Context(), manifest.Image{Name: "K8s"}, amd64); err == nil {
		t.Error("a bad name was taken")
	}
}

func TestResolveFromBadMirror(t *testing.T) {
	t.Parallel()
	for title, bad := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"500": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		},
		"403": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true },
		"hangs": func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		},
		"hangs at the manifest": func(_ http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			<-r.Context().Done()
			return true
		},
		"cuts the manifest": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(`{"schemaVersion":2`))
				return true
			}
			return false
		},
		"another text": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				_, _ = w.Write([]byte("hello"))
				return true
			}
			return false
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.host(t, "k8s.gcr.io")
			img := picture(t, "amd64", true, 1)
			w.push(t, "k8s.gcr.io/pause:3.1", img)
			w.host(t, "mirror.example").misbehave(bad)
			p := w.puller(t, map[string][]string{"k8s.gcr.io": {"mirror.example"}}, Options{})
			got, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
			if err != nil {
				t.Fatal(err)
			}
			check(t, p, got, img)
			if got.Source != "k8s.gcr.io/pause:3.1" {
				t.Errorf("source %s", got.Source)
			}
		})
	}
}

// A server that fails once is asked again, not left.
func TestResolveTriesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.host(t, "k8s.gcr.io")
	img := picture(t, "amd64", true, 1)
	w.push(t, "k8s.gcr.io/pause:3.1", img)
	failures := 2
	h.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/3.1") || failures == 0 {
			return false
		}
		failures--
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	p := w.puller(t, nil, Options{})
	got, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, got, img)
}

func TestResolveHangs(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.host(t, "k8s.gcr.io").misbehave(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	p := w.puller(t, nil, Options{})
	start := time.Now()
	_, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
	if err == nil || !strings.Contains(err.Error(), "no answer for 1s") || time.Since(start) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	gone := errors.New("the operator left")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	if _, err := w.puller(t, nil, Options{}).Resolve(ctx, manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64); !errors.Is(err, gone) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld()
	local := w.host(t, "local")
	img := picture(t, "amd64", true, 1)
	at := strings.TrimPrefix(local.URL, "http://")
	w.hosts[at] = local
	w.push(t, at+"/gc/pause:3.1", img)
	for _, registry := range []string{"10.1.2.3:5000", "k8s.gcr.io"} {
		p := w.puller(t, nil, Options{Transport: plainOnly{local}})
		_, err := p.Resolve(t.Context(), manifest.Image{Name: registry + "/gc/pause:3.1"}, amd64)
		if err == nil || !strings.Contains(hint.Of(err), "--insecure") {
			t.Errorf("%s: %v, hint %q", registry, err, hint.Of(err))
		}
		p = w.puller(t, nil, Options{Transport: plainOnly{local}, Insecure: true})
		if got, err := p.Resolve(t.Context(), manifest.Image{Name: registry + "/gc/pause:3.1"}, amd64); err != nil || got.Digest != digestIn(t, img) {
			t.Errorf("%s, insecure: %v", registry, err)
		}
	}
	// this machine, through the transport that is used without a test
	p := w.puller(t, map[string][]string{"k8s.gcr.io": {at + "/gc"}}, Options{Transport: newTransport()})
	got, err := p.Resolve(t.Context(), manifest.Image{Name: "k8s.gcr.io/pause:3.1"}, amd64)
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, got, img)
	for host, want := range map[string]bool{"127.0.0.1:5000": true, "127.3.4.5": true, "localhost": true, "localhost:80": true, "[::1]:5000": true, "a.localhost:1": false, "10.0.0.1:5000": false, "localhost.example": false, "k8s.gcr.io": false, "": false} {
		if isLoopback(host) != want {
			t.Errorf("%q is loopback: %v", host, !want)
		}
	}
}

// plainOnly is a network whose hosts all speak plain http.
type plainOnly struct{ *host }

func (p plainOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return nil, http.ErrSchemeMismatch
	}
	there := r.Clone(r.Context())
	there.URL.Host = strings.TrimPrefix(p.URL, "http://")
	resp, err := http.DefaultTransport.RoundTrip(there)
	if err == nil {
		resp.Request = r
	}
	return resp, err
}
