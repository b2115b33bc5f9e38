package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A secret is refused wherever a manifest or a flag can hold a URL or the name
// of a registry, and no error repeats it.
func TestSecretsAreRefused(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-of-bob"
	urls := []string{
		"https://bob:" + secret + "@mirror.example/r", "https://" + secret + "@mirror.example/r", "http://bob:" + secret + "/x@mirror.example/r",
		"https://mirror.example/r?token=" + secret, "https://mirror.example/r?a=b&X-Amz-Signature=" + secret, "https://mirror.example/r?sig=" + secret,
		"https://mirror.example/r?access_token=" + secret, "ftp://bob:" + secret + "@mirror.example/r", "https://bob:" + secret + "@mirror.example/$stream",
		"https://bob:" + secret + "@/r", "https://bob:" + secret + "@mirror.example/%zz", "https://bob:" + secret + "@mirror.example:x/r",
	}
	names := []string{"bob:" + secret + "@mirror.example/x", secret + "@mirror.example/x", "https://bob:" + secret + "@mirror.example/x"}
	// What is refused for another reason is not repeated either.
	odd := []string{
		"bob:" + secret + "@mirror.example/r", "https:/bob:" + secret + "@mirror.example/r", "//bob:" + secret + "@mirror.example/r",
		"https://mirror.example/r#" + secret, "https://mirror.example/%zz?x=" + secret, "https:///r?x=" + secret, "ftp://mirror.example/r?x=" + secret,
	}
	refused := func(title, text string, err error) {
		t.Helper()
		switch {
		case err == nil:
			t.Errorf("%s is taken: %s", title, text)
		case strings.Contains(err.Error(), secret):
			t.Errorf("%s: the error repeats it: %v", title, err)
		case !strings.Contains(err.Error(), "password") && !strings.Contains(err.Error(), "query") && !strings.Contains(err.Error(), "not a URL"):
			t.Errorf("%s: the error does not say why: %v", title, err)
		}
	}
	parse := func(old, text string) error {
		if !strings.Contains(good, old) {
			t.Fatalf("good has no %q", old)
		}
		_, err := Parse("m.yaml", []byte(strings.Replace(good, old, text, 1)))
		return err
	}
	for _, u := range urls {
		q := `"` + u + `"`
		refused("baseurl", u, parse("[https://mirror.example/centos/$releasever/os/$basearch]", "["+q+"]"))
		refused("gpgkey", u, parse("embedded:centos-7.asc", q))
		refused("files", u, parse("url: https://files.example/kube-flannel.yml", "url: "+q))
		refused("baseurl as text", u, errors.Join(errors.New("password"), parse("[https://mirror.example/centos/$releasever/os/$basearch]", q)))
		refused("--repo", u, override(t, Overrides{Repos: []string{"base=" + u}}))
		refused("--repo without an id", u, errors.Join(errors.New("password"), override(t, Overrides{Repos: []string{u}})))
		dir := t.TempDir()
		path := filepath.Join(dir, "m.yaml")
		if err := os.WriteFile(path, []byte("apiVersion: kubecrate/v1\nkind: Bundle\nextends: "+q+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		refused("extends", u, err)
		_, err = Load(u)
		refused("the argument", u, err)
	}
	for _, u := range odd {
		for title, err := range map[string]error{
			"baseurl": parse("[https://mirror.example/centos/$releasever/os/$basearch]", `["`+u+`"]`),
			"gpgkey":  parse("embedded:centos-7.asc", `"`+u+`"`),
			"files":   parse("url: https://files.example/kube-flannel.yml", `url: "`+u+`"`),
			"--repo":  override(t, Overrides{Repos: []string{"base=" + u}}),
		} {
			refused(title, u, errors.Join(errors.New("password"), err))
			if err == nil {
				t.Errorf("%s is taken: %s", title, u)
			}
		}
	}
	refused("query of a mirror", "", errors.Join(errors.New("password"), parse("mirror.example/google", `"mirror.example/google?x=`+secret+`"`)))
	for _, n := range names {
		refused("mirror", n, parse("mirror.example/google", `"`+n+`"`))
		refused("mirror of", n, parse("{k8s.gcr.io:", `{"`+n+`":`))
		refused("image", n, parse("k8s.gcr.io/pause:3.1", `"`+n+`:1.0"`))
		refused("--mirror", n, override(t, Overrides{Mirrors: []string{"k8s.gcr.io=" + n}}))
		refused("--mirror of", n, override(t, Overrides{Mirrors: []string{n + "=x.example"}}))
	}
}

func override(t *testing.T, o Overrides) error {
	t.Helper()
	m, err := Load(DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	return m.Override(o)
}

// A lock that somebody wrote a secret into is refused, too.
func TestSecretInLock(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"https://bob:s3cret@mirror.example/a.rpm", "https://mirror.example/a.rpm?token=s3cret"} {
		f := &findings{}
		f.location(root.key("packages").index(0).key("url"), u)
		if len(f.list) != 1 || strings.Contains(f.list[0].text, "s3cret") {
			t.Errorf("%s: %+v", u, f.list)
		}
	}
}

// What is no secret is taken as it is.
func TestPlainURLs(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"https://mirror.example/r?arch=x86_64&repo=os-7", "http://[::1]:8080/a@b", "/srv/a@b:c", "file:///srv/x", "https://mirror.example/${releasever}/$basearch/$arch/$1/50$"} {
		m, err := Parse("m.yaml", []byte(strings.Replace(good, "https://mirror.example/centos/$releasever/os/$basearch", `"`+u+`"`, 1)))
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		want := strings.NewReplacer("${releasever}", "7", "$basearch", "x86_64", "$arch", "x86_64").Replace(u)
		if got := m.Packages.Repos[0].BaseURL[0]; got != want {
			t.Errorf("%s: %s, want %s", u, got, want)
		}
	}
	for _, img := range []string{"[::1]:5000/team/app:1.0", "[fd00::1]/app:1.0", "127.0.0.1:5000/app:1.0"} {
		if _, err := Parse("m.yaml", []byte(strings.Replace(good, "k8s.gcr.io/pause:3.1", `"`+img+`"`, 1))); err != nil {
			t.Errorf("%s: %v", img, err)
		}
	}
	for _, key := range []string{"k8s.gcr.io/coredns", "k8s.gcr.io/coredns/coredns", "localhost/x", "\"[::1]:5000\""} {
		if _, err := Parse("m.yaml", []byte(strings.Replace(good, "{k8s.gcr.io:", "{"+key+":", 1))); err != nil {
			t.Errorf("mirror of %s: %v", key, err)
		}
	}
}
