package imageref

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Parts{
		"nginx": {"nginx", "", ""}, "nginx:1.14": {"nginx", "1.14", ""}, "host:5000/a/b:1.2": {"host:5000/a/b", "1.2", ""}, "host:5000/a": {"host:5000/a", "", ""},
		"a@" + aDigest: {"a", "", aDigest}, "a:1@" + aDigest: {"a", "1", aDigest}, "": {}, "{{ .x }}:1": {"{{ .x }}", "1", ""},
	} {
		if got := Split(name); got != want {
			t.Errorf("Split(%q) = %+v, want %+v", name, got, want)
		}
	}
	pinned := Split("quay.io/coreos/flannel:v1@" + aDigest)
	if pinned.Base() != "flannel" || pinned.Version() != aDigest || pinned.Tagged() != "quay.io/coreos/flannel:v1" {
		t.Errorf("%q, %q, %q", pinned.Base(), pinned.Version(), pinned.Tagged())
	}
	if p := Split("nginx:1"); p.Base() != "nginx" || p.Version() != "1" || p.Tagged() != "nginx:1" {
		t.Errorf("%q, %q, %q", p.Base(), p.Version(), p.Tagged())
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"nginx": "docker.io/library/nginx", "nginx:1": "docker.io/library/nginx:1", "docker.io/nginx": "docker.io/library/nginx", "library/nginx": "docker.io/library/nginx",
		"index.docker.io/nginx": "docker.io/library/nginx", "a/b": "docker.io/a/b", "localhost/a": "localhost/a", "host:5000/a:1": "host:5000/a:1", "k8s.gcr.io/pause": "k8s.gcr.io/pause",
	} {
		if got := Complete(name); got != want {
			t.Errorf("Complete(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"nginx:1", "docker.io/library/nginx:1", true}, {"nginx", "library/nginx:latest", true}, {"nginx:1", "nginx:2", false}, {"nginx:1", "quay.io/nginx:1", false},
		{"{{ x }}", "{{ x }}", true}, {"{{ x }}", "nginx", false}, {"nginx", "{{ x }}", false}, {"a@" + aDigest, "docker.io/library/a@" + aDigest, true},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("Same(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what     string
		is       func(string) bool
		yes, not []string
	}{
		{"registry", IsRegistry, []string{"docker.io", "localhost", "host:5000", "127.0.0.1:80", "[::1]", "[fd00::1]:5000", "Reg.example"},
			[]string{"", "a/b", "-a", "a..b", "host:", "host:x", "host:123456", "[::1]:123456", "[:]", "[::1", "[1.2.3.4]", "[::1]x", "a b"}},
		{"repository", IsRepository, []string{"nginx", "library/nginx", "a__b", "a--b/c.d", strings.Repeat("a", 255)},
			[]string{"", "Nginx", "a//b", "/a", "a/", "a..b", "a:1", "a@b", "_a", "a b", "..", strings.Repeat("a", 256)}},
		{"tag", IsTag, []string{"1.14-alpine", "v1", "_x", strings.Repeat("a", 128)}, []string{"", ".a", "-a", "a b", "a:b", "a\n", strings.Repeat("a", 129)}},
		{"digest", IsDigest, []string{aDigest}, []string{"", aDigest[1:], aDigest + "0", "sha512:" + aDigest[7:], strings.ToUpper(aDigest), "sha256:../" + aDigest[10:]}},
	} {
		for _, s := range c.yes {
			if !c.is(s) {
				t.Errorf("%q is no %s", s, c.what)
			}
		}
		for _, s := range c.not {
			if c.is(s) {
				t.Errorf("%q is a %s", s, c.what)
			}
		}
	}
	if err := CheckDigest("sha512:" + aDigest[7:]); err == nil || !strings.Contains(err.Error(), "only sha256") {
		t.Error(err)
	}
	if err := CheckDigest("x"); err == nil || !strings.Contains(err.Error(), "is not a digest") {
		t.Error(err)
	}
}
