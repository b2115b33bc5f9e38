package registry

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
)

// A mirror may be for a part of a registry: what follows the longest key that
// fits is looked for there.
func TestMirrorOfAPart(t *testing.T) {
	t.Parallel()
	s := newShelf()
	body, _ := s.image(image.DockerConfig, configOf("amd64", 1), 1)
	w := newWorld()
	for _, repo := range []string{"gc/coredns", "gc/pause", "exact/dns", "gc/corednsx/y", "hub/nginx", "all/other/x"} {
		s.tags[repo+":1"] = body
	}
	w.handler(t, "mirror.example", s)
	mirrors := map[string][]string{
		"registry.k8s.io": {"mirror.example/gc"}, "registry.k8s.io/coredns": {"mirror.example/gc"}, "registry.k8s.io/coredns/special": {"mirror.example/exact/dns"},
		"index.docker.io/library": {"mirror.example/hub"}, "quay.io": {"mirror.example/all/"},
	}
	for name, want := range map[string]string{
		"registry.k8s.io/coredns/coredns:1": "gc/coredns", "registry.k8s.io/pause:1": "gc/pause", "registry.k8s.io/coredns/special:1": "exact/dns",
		"registry.k8s.io/corednsx/y:1": "gc/corednsx/y", "nginx:1": "hub/nginx", "quay.io/other/x:1": "all/other/x",
	} {
		got, err := resolveAt(t, w, mirrors, name)
		if err != nil || got.Source != "mirror.example/"+want+":1" || got.Name != name {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		p := w.puller(t, mirrors, Options{})
		if blob, err := p.Blob(t.Context(), got, got.Config); err != nil || !strings.HasPrefix(blob.Locations[0].URL, "https://mirror.example/v2/"+want+"/blobs/") {
			t.Errorf("%s: %+v, %v", name, blob, err)
		}
	}
	// What lies under another name is told, and never taken by itself.
	delete(mirrors, "registry.k8s.io/coredns")
	_, err := resolveAt(t, w, mirrors, "registry.k8s.io/coredns/coredns:1")
	if err == nil || !strings.Contains(hint.Of(err), "--mirror registry.k8s.io/coredns/coredns=mirror.example/gc/coredns ") {
		t.Fatalf("%v, hint %q", err, hint.Of(err))
	}
	mirrors["registry.k8s.io/coredns/coredns"] = []string{"mirror.example/gc/coredns"}
	if _, err := resolveAt(t, w, mirrors, "registry.k8s.io/coredns/coredns:1"); err != nil {
		t.Errorf("the hint, followed: %v", err)
	}
	if _, err := resolveAt(t, w, mirrors, "registry.k8s.io/other/thing:1"); err == nil || strings.Contains(hint.Of(err), "another name") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}

func TestRegistryByIPv6(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	s := newShelf()
	body, digest := s.image(image.DockerConfig, configOf("amd64", 1), 1)
	s.tags["team/app:1"] = body
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	name := listener.Addr().String() + "/team/app:1"
	got, err := newWorld().puller(t, nil, Options{Transport: newTransport()}).Resolve(t.Context(), manifest.Image{Name: name}, amd64)
	if err != nil || got.Digest != digest || got.Name != name {
		t.Errorf("%s: %+v, %v", name, got, err)
	}
}
