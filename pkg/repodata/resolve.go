package repodata

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Resolve returns the URLs to ask for the file of an href of primary.xml, the
// best first. base is the repository's URL (http, https or file) or an absolute
// path; xml:base, where a package has one, takes its place: resolve that first.
// The base is a folder, its query is kept, "../../pool/x.rpm" climbs out of it,
// and an href may be a whole URL, which is taken as it is; a file on this
// machine is reachable only from a base that is one.
//
// An href that is a path is the name of a file to dnf, in which every character
// that means something in a URL is escaped, '%' too; to yum it is a part of a
// URL, already escaped, perhaps with a query. Where the two differ, both are
// returned, dnf's first.
//
// The result says where to read, never where to write: files are stored by
// digest, and named by FileName.
func Resolve(base, location string) ([]string, error) { return resolve(base, location, true) }

// ResolveMetadata is Resolve for an href of repomd.xml, which dnf, too, takes
// as a part of a URL.
func ResolveMetadata(base, location string) ([]string, error) { return resolve(base, location, false) }

func resolve(base, location string, name bool) ([]string, error) {
	if location == "" {
		return nil, errors.New("cannot resolve an empty location")
	}
	b, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if strings.Contains(location, "://") {
		u, err := url.Parse(location)
		if err != nil {
			return nil, fmt.Errorf("cannot resolve %q against %s: it is not a URL", location, b.Redacted())
		}
		return links(b, location, u)
	}
	plain := strings.TrimLeft(location, "/") // dnf knows no path from the root of the host
	ways := []*url.URL{asWritten(b, plain), asWritten(b, location)}
	escaped := beside(b, &url.URL{Path: plain, RawPath: escape(plain)})
	if name {
		ways = slices.Insert(ways, 0, escaped)
	} else {
		ways = append(ways, escaped)
	}
	return links(b, location, ways...)
}

// links checks where the URLs lead and writes those that a server can tell
// apart. nil ones are passed over.
func links(b *url.URL, location string, list ...*url.URL) ([]string, error) {
	var out []string
	var seen []*url.URL
	for _, u := range list {
		switch {
		case u == nil || slices.ContainsFunc(seen, func(o *url.URL) bool { return sameFile(o, u) }):
			continue
		case u.Scheme == "file" && (b.Scheme != "file" || u.Host != "" && u.Host != "localhost"):
			return nil, fmt.Errorf("cannot resolve %q against %s: it refers to a file of this machine", location, b.Redacted())
		case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
			return nil, fmt.Errorf("cannot resolve %q against %s: only http, https and file are supported", location, b.Redacted())
		case u.Scheme != "file" && u.Host == "":
			return nil, fmt.Errorf("cannot resolve %q against %s: no host", location, b.Redacted())
		}
		u.Fragment, u.RawFragment = "", ""
		seen, out = append(seen, u), append(out, u.String())
	}
	return out, nil
}

// asWritten reads an href as a reference, as RFC 3986 has it; nil where it is
// none, or one to another host.
func asWritten(b *url.URL, location string) *url.URL {
	ref, err := url.Parse(location)
	if err != nil || ref.Scheme != "" || ref.Host != "" || strings.Contains(location, "\\") {
		return nil
	}
	return beside(b, ref)
}

// beside is ref as seen from the folder b, with b's query unless it has its own.
func beside(b, ref *url.URL) *url.URL {
	u := b.ResolveReference(ref)
	if ref.RawQuery == "" {
		u.RawQuery = b.RawQuery
	}
	return u
}

// sameFile says whether a server sees the same request in both, whatever is
// escaped in them.
func sameFile(a, b *url.URL) bool { return a.Path == b.Path && a.RawQuery == b.RawQuery }

// escape writes a path as libdnf does (libdnf/utils/url-encode.cpp): all but
// letters, digits, "-._~" and the slash, in lower-case hex.
func escape(path string) string {
	const plain = "-._~/"
	var out strings.Builder
	for i := range len(path) {
		c := path[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02x", c)
		}
	}
	return out.String()
}

// ResolveBase is the folder that an xml:base names, which may be relative to
// the mirror; without one it is the mirror itself.
func ResolveBase(mirror, base string) (string, error) {
	if base == "" {
		return mirror, nil
	}
	if strings.Contains(base, "://") {
		_, err := parseBase(base)
		return base, err
	}
	list, err := resolve(mirror, base, false)
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// parseBase is base as the URL of a folder.
func parseBase(base string) (*url.URL, error) {
	if filepath.IsAbs(base) {
		return folder(&url.URL{Scheme: "file", Path: base}), nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("cannot read the base URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" || u.Opaque != "" || u.Scheme != "file" && u.Host == "" {
		return nil, fmt.Errorf("cannot read the base URL %q: want http, https, file or an absolute path", u.Redacted())
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("cannot read the base URL %q: a fragment is never sent; write %%23 for a # in a directory name", u.Redacted())
	}
	return folder(u), nil
}

func folder(u *url.URL) *url.URL {
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		if u.RawPath != "" {
			u.RawPath += "/"
		}
	}
	return u
}
