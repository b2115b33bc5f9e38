package imageref

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

const aDigest = "sha256:485b610fefec7ff6c463ced9623314a04ed67e3945b9c08d7e53a47f6d108dc7"

func TestReference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, canonical, full, docker string }{
		{"nginx:1.14-alpine", "nginx:1.14-alpine", "docker.io/library/nginx:1.14-alpine", "nginx:1.14-alpine"},
		{"nginx", "nginx:latest", "docker.io/library/nginx:latest", "nginx:latest"},
		{"docker.io/library/nginx:1", "nginx:1", "docker.io/library/nginx:1", "nginx:1"},
		{"docker.io/nginx:1", "nginx:1", "docker.io/library/nginx:1", "nginx:1"},
		{"index.docker.io/nginx:1", "nginx:1", "docker.io/library/nginx:1", "nginx:1"},
		{"docker.io/rancher/mirrored-flannelcni-flannel:v0.20.2", "rancher/mirrored-flannelcni-flannel:v0.20.2", "docker.io/rancher/mirrored-flannelcni-flannel:v0.20.2", "rancher/mirrored-flannelcni-flannel:v0.20.2"},
		{"k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.1"},
		{"quay.io/coreos/flannel:v0.14.0", "quay.io/coreos/flannel:v0.14.0", "quay.io/coreos/flannel:v0.14.0", "quay.io/coreos/flannel:v0.14.0"},
		{"localhost/x:1", "localhost/x:1", "localhost/x:1", "localhost/x:1"},
		{"127.0.0.1:5000/a/b:1.2", "127.0.0.1:5000/a/b:1.2", "127.0.0.1:5000/a/b:1.2", "127.0.0.1:5000/a/b:1.2"},
		{"[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000/a:1"},
		{"localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest", "localhost:5000/a:latest"},
		{"docker.io/foo.bar/baz:1", "docker.io/foo.bar/baz:1", "docker.io/foo.bar/baz:1", "docker.io/foo.bar/baz:1"},
		{"docker.io/library/a/b:1", "library/a/b:1", "docker.io/library/a/b:1", "library/a/b:1"},
		{"nginx@" + aDigest, "nginx@" + aDigest, "docker.io/library/nginx@" + aDigest, ""},
		{"nginx:1.14@" + aDigest, "nginx:1.14@" + aDigest, "docker.io/library/nginx@" + aDigest, "nginx:1.14"},
		{"Reg.example/a:1", "Reg.example/a:1", "Reg.example/a:1", "Reg.example/a:1"},
	} {
		ref, err := Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if ref.String() != c.canonical || ref.Full() != c.full || ref.DockerTag() != c.docker {
			t.Errorf("%s: %q %q %q, want %q %q %q", c.in, ref.String(), ref.Full(), ref.DockerTag(), c.canonical, c.full, c.docker)
		}
	}
}

func TestReferenceErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                        "empty",
		"Nginx:1":                 "must be lower case",
		"Reg/a:1":                 "must be lower case",
		"nginx:":                  "tag",
		"nginx:a b":               "tag",
		"nginx:" + long(129):      "tag",
		"[:]/a:1":                 "not a registry",
		"https://k8s.gcr.io/a":    "URL",
		"a//b:1":                  "not a repository",
		"a/../b:1":                "not a repository",
		"k8s.gcr.io/../b:1":       "not a repository",
		"nginx@sha256:123":        "64 lower-case hex",
		"nginx@sha512:" + aDigest: "64 lower-case hex",
		"a:b:c":                   "not a repository",
		"{{ .Values.image }}:1":   "not a repository",
		"$(IMAGE)":                "not a repository",
		"k8s.gcr.io:x/pause:1":    "not a registry",
		aDigest[7:]:               "image ID",
		long(300):                 "longer than 255",
		long(600):                 "at most",
	} {
		if _, err := Canonical(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
		if _, err := Full(in); err == nil {
			t.Errorf("%q has a full name", in)
		}
	}
}

func long(n int) string { return strings.Repeat("a", n) }

// FuzzReference holds that a canonical name means itself, and that an
// independent parser reads it alike.
func FuzzReference(f *testing.F) {
	for _, s := range []string{"nginx", "k8s.gcr.io/pause:3.1", "docker.io/foo.bar/baz:1", "a/b/c:1@" + aDigest, "[::1]:5000/a", "localhost/library/x", aDigest} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q: canonical %q means %+v (%v), not %+v", s, ref.String(), again, err, ref)
		}
		if full, err := Parse(ref.Full()); err != nil || full.Registry != ref.Registry || full.Repository != ref.Repository || full.Identifier() != ref.Identifier() {
			t.Fatalf("%q: full name %q means %+v (%v)", s, ref.Full(), full, err)
		}
		other, err := name.ParseReference(ref.Full())
		if err != nil {
			t.Fatalf("%q: the other parser refuses %q: %v", s, ref.Full(), err)
		}
		if got := other.Context().RepositoryStr(); got != ref.Repository || other.Identifier() != ref.Identifier() {
			t.Fatalf("%q: %s %s, not %+v", s, got, other.Identifier(), ref)
		}
	})
}
