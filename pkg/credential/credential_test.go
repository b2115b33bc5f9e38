package credential

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInURL(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"http://bob:s3cret@host/r", "https://s3cret@host/r", "https://s3cret:@host:80", "http://bob:s3/cret@host/r",
		"http://bob:s3cret@[::1]:80/r", "bob:s3cret@host/prefix", "bob:s3cret@host/team/app:1.0",
		"https://h/r?token=s3cret", "https://h/r?a=b&X-Amz-Signature=s3cret", "https://h/r?access_token=s3cret&x=y",
		"https://h/r?sv=1&sig=s3cret", "https://h/r?AWSAccessKeyId=s3cret", "https://h/r?private-token=s3cret", "https://h/r?%74oken=s3cret",
		"https://h/r?x=1;password=s3cret", "https://h/r?Key=s3cret", "https://h/r?q=ghp_s3cret", "https://h/r?q=eyJhbGciOi.s3cret.x", "host/r?token=s3cret",
		"https://h/r?x-goog-credential=s3cret", "https://h/r?x#access_token=s3cret",
	} {
		if InURL(secret) == "" {
			t.Errorf("%s: no secret found", secret)
		}
		if strings.Contains(InURL(secret), "s3cret") {
			t.Errorf("%s: the secret is told: %s", secret, InURL(secret))
		}
		if got := Strip(secret); strings.Contains(got, "s3cret") {
			t.Errorf("%s: stripped to %s", secret, got)
		}
		if !strings.Contains(secret, "://") {
			continue
		}
		if got := Redact(`get "` + secret + `": no`); strings.Contains(got, "s3cret") || !strings.HasSuffix(got, `": no`) {
			t.Errorf("%s: redacted to %s", secret, got)
		}
	}
	for _, plain := range []string{
		"", "https://host/r", "http://[::1]:8080/r", "https://h/r?arch=x86_64&repo=os", "https://h/r?sort=key", "/a/b@c", "../a@b:c",
		"nginx:1@sha256:0123456789abcdef", "host:5000/app@sha256:0123456789abcdef", "host:5000/a/app:1", "nginx",
		"https://h/a@b/c", "https://h:80/a@b", "https://h/r?token=", "https://keys.example/lookup?op=get&search=0x1234", "https://h/r?author=me&monkey=2",
	} {
		if InURL(plain) != "" {
			t.Errorf("%s: %s", plain, InURL(plain))
		}
		if strings.Contains(plain, "://") && Redact(plain) != plain {
			t.Errorf("%s: redacted to %s", plain, Redact(plain))
		}
		if Strip(plain) != plain {
			t.Errorf("%s: stripped to %s", plain, Strip(plain))
		}
	}
	if got, want := Shown("https://u:p@h/r?a=1#x"), "https://***@h/r?..."; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for path, want := range map[string]bool{
		"bob:s3cret@h/x": true, "https:/bob:s3cret@h/x": true, "//bob:s3cret@h/x": true, "x/bob:s3cret@h": true,
		"/a:b@c": false, "./a:b@c": false, "a@b/c": false, "a:b": false, "nginx:1@sha256:0123456789abcdef": false, "": false,
	} {
		if InPath(path) != want {
			t.Errorf("%q: want %v", path, want)
		}
	}
	if got, want := Strip("https://u:p@h:1/r?a=1&token=x&b=2"), "https://h:1/r?a=1&b=2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Redact("https://h/r#access_token=s3cret&b=1"), "https://h/r#access_token=***&b=1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Redact("a http://u:p@h/x?sig=1&b=2#f and https://h/?q=1"), "a http://***@h/x?sig=***&b=2#f and https://h/?q=1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNetrc(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "netrc")
	text := "# machine x login y password z\nmachine One.example login bob password s3cret\n" +
		"machine two.example\n\tlogin \"b o\\\"b\"\n\taccount a\n\tpassword p#w\nmacdef init\ncd /\nmachine m login l password p\n\n" +
		"machine two.example:8443 login other password x\r\nmachine one.example login second password no\n" +
		"default login d password d\nmachine last.example password"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := ReadNetrc(path)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]Login{
		"one.example": {"bob", "s3cret"}, "ONE.example:443": {"bob", "s3cret"}, "two.example": {`b o"b`, "p#w"},
		"two.example:8443": {"other", "x"}, "two.example:1": {`b o"b`, "p#w"}, "last.example": {},
	} {
		if got, ok := n.Lookup(host); !ok || got != want {
			t.Errorf("%s: %v, %v", host, got, ok)
		}
	}
	for _, host := range []string{"m", "x", "other.example", "", "sub.one.example"} {
		if got, ok := n.Lookup(host); ok {
			t.Errorf("%s: %v", host, got)
		}
	}
	none, err := ReadNetrc(filepath.Join(t.TempDir(), "none"))
	if _, ok := none.Lookup("one.example"); ok || err != nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadNetrc(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	env := map[string]string{"HOME": "/h"}
	if got := NetrcPath(func(k string) string { return env[k] }); got != "/h/.netrc" {
		t.Error(got)
	}
	env["NETRC"] = "/n"
	if got := NetrcPath(func(k string) string { return env[k] }); got != "/n" {
		t.Error(got)
	}
}

func FuzzCredential(f *testing.F) {
	f.Add("http://bob:s3cret@host/r?token=x", "machine a login b password c")
	f.Fuzz(func(t *testing.T, s, netrc string) {
		if got := Strip(s); InURL(got) != "" {
			t.Fatalf("%q became %q, which holds %s", s, got, InURL(got))
		}
		parseNetrc(netrc)
		Redact(s)
	})
}
