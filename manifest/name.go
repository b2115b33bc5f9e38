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

// longestName bounds image names, as registries do.
const longestName = 255

// errLogin says how a registry is logged in to, for names that try it.
var errLogin = errors.New("a name with a user or a password in it, which would end up in the lock and in the archive: write it without, and log in with docker login HOST")

// checkImage says what is wrong with an image's name.
func checkImage(name string) error {
	if credential.InURL(name) != "" {
		return errLogin
	}
	p, pinned := imageref.Split(name), strings.Contains(name, "@")
	if len(name) > longestName {
		return fmt.Errorf("an image name of %d characters", len(name))
	}
	host, rest, _ := strings.Cut(imageref.Complete(p.Repository), "/")
	if !imageref.IsRegistry(host) || !imageref.IsRepository(rest) {
		if lower := strings.ToLower(rest); lower != rest && imageref.IsRepository(lower) {
			return fmt.Errorf("%q is not an image name: write the repository in lower case, %s", name, strings.Replace(name, p.Repository, strings.ToLower(p.Repository), 1))
		}
		return fmt.Errorf("%q is not an image name", name)
	}
	switch {
	case p.Tag == "" && !pinned:
		return fmt.Errorf("image %q has no tag: pin one, such as %s:1.0", name, name)
	case pinned && !imageref.IsDigest(p.Digest):
		return fmt.Errorf("the digest of %q must be sha256: and 64 hex digits", name)
	case (p.Tag != "" || !pinned) && !imageref.IsTag(p.Tag):
		return fmt.Errorf("%q is no tag of an image", p.Tag)
	}
	return nil
}

// checkMirrored says what is wrong with the images that a mirror is for: a
// registry, or the beginning of a repository's name in it.
func checkMirrored(prefix string) error {
	host, rest, ok := strings.Cut(prefix, "/")
	if credential.InURL(prefix) != "" {
		return errLogin
	}
	if !imageref.IsRegistry(host) || ok && (!imageref.IsRepository(rest) || !imageref.HasRegistry(prefix)) {
		return fmt.Errorf("%q is no registry: want HOST[:PORT], or HOST[:PORT]/REPOSITORY for a part of one", prefix)
	}
	return nil
}

// checkMirror says what is wrong with where images are pulled from instead.
func checkMirror(prefix string) error {
	if credential.InURL(prefix) != "" {
		return errLogin
	}
	if strings.Contains(prefix, "://") {
		return fmt.Errorf("write %q without the scheme, as HOST[:PORT][/PATH]", credential.Shown(prefix))
	}
	host, rest, ok := strings.Cut(prefix, "/")
	if !imageref.IsRegistry(host) || ok && !imageref.IsRepository(rest) {
		return fmt.Errorf("%q is no mirror: want HOST[:PORT][/PATH]", credential.Shown(prefix))
	}
	return nil
}

// checkLocation says what is wrong with a URL or a path. A URL that holds a
// secret is refused without repeating it: it would be kept in the lock and in the
// archive.
func checkLocation(s string) error {
	scheme, _, ok := strings.Cut(s, "://")
	if ok {
		if err := checkSecret(s); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q holds a control character", s)
	}
	if !ok {
		if credential.InPath(s) {
			return errors.New("it looks like a URL without its https://, and holds a user name or password: write the URL whole and without them")
		}
		return nil
	}
	shown := credential.Shown(s)
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is no URL", shown)
	}
	switch u.Scheme {
	case "https", "http":
		if u.Host == "" {
			return fmt.Errorf("%q names no host", shown)
		}
		if strings.Contains(s, "#") {
			return fmt.Errorf("%q has a part behind #, which no server sees: write %%23 where the # belongs to a name", shown)
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
			return fmt.Errorf("%q must be file:// and an absolute path", shown)
		}
		if strings.ContainsAny(s, "?#") {
			return fmt.Errorf("%q is a path in which ? and # are to be written %%3F and %%23", s)
		}
	default:
		return fmt.Errorf("cannot fetch %q: %s is none of https, http, file", shown, scheme)
	}
	return nil
}

// checkSecret refuses a URL that holds a secret.
func checkSecret(s string) error {
	what := credential.InURL(s)
	switch {
	case what == "":
		return nil
	case strings.Contains(what, "query"):
		return fmt.Errorf("it holds %s, which would end up in the lock and in the archive: fetch it to a file or a folder and name that, or take it from a server that asks for a login (~/.netrc)", what)
	}
	return fmt.Errorf(`it holds %s, which would end up in the lock and in the archive: write the URL without, and "machine HOST login USER password PASSWORD" into ~/.netrc (or the file that the variable NETRC names)`, what)
}

// isRelative says whether s is a path relative to the manifest.
func isRelative(s string) bool {
	return s != "" && !strings.Contains(s, "://") && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, embedded)
}

// checkMember says what is wrong with the path of a file in the archive.
func checkMember(p string) error {
	top, rest, _ := strings.Cut(p, "/")
	switch {
	case !fs.ValidPath(p) || strings.ContainsAny(p, "\\\x00") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no path of an archive: want words separated by / and neither . nor .. among them", p)
	case top != "manifests" && top != "files" || rest == "":
		return fmt.Errorf("%q must be under manifests/ or files/", p)
	}
	return nil
}
