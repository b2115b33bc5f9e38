package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/imageref"
)

// The forms of names; those of images are package imageref's.
const (
	namePattern    = `^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`
	versionPattern = `^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`
	digestPattern  = `^sha256:[0-9a-f]{64}$`
	sha256Pattern  = `^[0-9a-f]{64}$`
	hexPattern     = `^[0-9A-Fa-f]+$`
)

// patterns are the compiled forms; a regexp is never changed.
var (
	nameForm    = regexp.MustCompile(namePattern)
	versionForm = regexp.MustCompile(versionPattern)
	digestForm  = regexp.MustCompile(digestPattern)
	sha256Form  = regexp.MustCompile(sha256Pattern)
	hexForm     = regexp.MustCompile(hexPattern)
)

// longestName limits image names, as registries do.
const longestName = 255

// errLogin is the error for names with credentials.
var errLogin = errors.New("the name contains a user or a password, which would end up in the lock and in the archive: remove it, and log in with docker login HOST")

// checkImage checks an image's name.
func checkImage(name string) error {
	if credential.InURL(name) != "" {
		return errLogin
	}
	p, pinned := imageref.Split(name), strings.Contains(name, "@")
	if len(name) > longestName {
		return fmt.Errorf("image name too long: %d characters", len(name))
	}
	host, rest, _ := strings.Cut(imageref.Complete(p.Repository), "/")
	if !imageref.IsRegistry(host) || !imageref.IsRepository(rest) {
		if lower := strings.ToLower(rest); lower != rest && imageref.IsRepository(lower) {
			return fmt.Errorf("%q is not an image name: the repository must be lower case: %s", name, strings.Replace(name, p.Repository, strings.ToLower(p.Repository), 1))
		}
		return fmt.Errorf("%q is not an image name", name)
	}
	switch {
	case p.Tag == "" && !pinned:
		return fmt.Errorf("image %q has no tag: pin one, such as %s:1.0", name, name)
	case pinned && !imageref.IsDigest(p.Digest):
		return fmt.Errorf("the digest of %q must be sha256: and 64 hex digits", name)
	case (p.Tag != "" || !pinned) && !imageref.IsTag(p.Tag):
		return fmt.Errorf("%q is not an image tag", p.Tag)
	}
	return nil
}

// checkMirrored checks the prefix of images that a mirror serves: a registry, or a
// registry and the beginning of a repository's name.
func checkMirrored(prefix string) error {
	host, rest, ok := strings.Cut(prefix, "/")
	if credential.InURL(prefix) != "" {
		return errLogin
	}
	if !imageref.IsRegistry(host) || ok && (!imageref.IsRepository(rest) || !imageref.HasRegistry(prefix)) {
		return fmt.Errorf("%q is not a registry: want HOST[:PORT], or HOST[:PORT]/REPOSITORY for part of one", prefix)
	}
	return nil
}

// checkMirror checks the prefix that images are pulled from instead.
func checkMirror(prefix string) error {
	if credential.InURL(prefix) != "" {
		return errLogin
	}
	if strings.Contains(prefix, "://") {
		return fmt.Errorf("write %q without the scheme, as HOST[:PORT][/PATH]", credential.Shown(prefix))
	}
	host, rest, ok := strings.Cut(prefix, "/")
	if !imageref.IsRegistry(host) || ok && !imageref.IsRepository(rest) {
		return fmt.Errorf("%q is not a mirror: want HOST[:PORT][/PATH]", credential.Shown(prefix))
	}
	return nil
}

// checkLocation checks a URL or a path. A URL with a secret is refused without
// repeating the secret: it would end up in the lock and in the archive.
func checkLocation(s string) error {
	scheme, _, ok := strings.Cut(s, "://")
	if ok {
		if err := checkSecret(s); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q contains a control character", s)
	}
	if !ok {
		if credential.InPath(s) {
			return errors.New("it looks like a URL without https:// and with a user name or password: write the full URL without them")
		}
		return nil
	}
	shown := credential.Shown(s)
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is not a URL", shown)
	}
	switch u.Scheme {
	case "https", "http":
		if u.Host == "" {
			return fmt.Errorf("%q has no host", shown)
		}
		if strings.Contains(s, "#") {
			return fmt.Errorf("%q has a fragment (#), which is not sent to the server: if # is part of a name, write %%23", shown)
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
			return fmt.Errorf("%q must be file:// with an absolute path", shown)
		}
		if strings.ContainsAny(s, "?#") {
			return fmt.Errorf("%q is a path with ? or #: write %%3F and %%23", s)
		}
	default:
		return fmt.Errorf("cannot fetch %q: unsupported scheme %s (known: https, http, file)", shown, scheme)
	}
	return nil
}

// checkSecret refuses a URL that contains a secret.
func checkSecret(s string) error {
	what := credential.InURL(s)
	switch {
	case what == "":
		return nil
	case strings.Contains(what, "query"):
		return fmt.Errorf("it contains %s, which would end up in the lock and in the archive: download it to a file or a directory and name that, or use a server with a login (~/.netrc)", what)
	}
	return fmt.Errorf(`it contains %s, which would end up in the lock and in the archive: remove it from the URL, and write "machine HOST login USER password PASSWORD" to ~/.netrc (or the file that the variable NETRC names)`, what)
}

// isRelative reports whether s is a path relative to the manifest.
func isRelative(s string) bool {
	return s != "" && !strings.Contains(s, "://") && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, embedded)
}

// checkMember checks the path of a file in the archive.
func checkMember(p string) error {
	top, rest, _ := strings.Cut(p, "/")
	switch {
	case !fs.ValidPath(p) || strings.ContainsAny(p, "\\\x00") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is not a path in the archive: want names separated by /, with no . or .. element", p)
	case top != "manifests" && top != "files" || rest == "":
		return fmt.Errorf("%q must be under manifests/ or files/", p)
	}
	return nil
}
