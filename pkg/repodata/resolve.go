package repodata

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// Resolve returns the URL of an href found in a repository's metadata. base is
// the repository's URL (http, https or file) or an absolute path; xml:base, where
// a package has one, takes its place: resolve that first. As in yum, the base is
// a folder, "../../pool/x.rpm" climbs out of it, and an href may be a whole URL;
// a file on this machine is reachable only from a base that is one.
//
// The result says where to read, never where to write: files are stored by
// digest, and named by FileName.
func Resolve(base, location string) (string, error) {
	if location == "" {
		return "", errors.New("cannot resolve an empty location")
	}
	b, err := parseBase(base)
	if err != nil {
		return "", err
	}
	ref, err := url.Parse(location)
	if err != nil || ref.Scheme != "" && !strings.Contains(location, "://") || strings.ContainsAny(location, "\\") {
		// Not a URL reference: a bare path with a colon, a percent sign ...
		ref = &url.URL{Path: location}
	}
	u := b.ResolveReference(ref)
	u.Fragment = ""
	if u.Scheme == "file" && (b.Scheme != "file" || u.Host != "" && u.Host != "localhost") {
		return "", fmt.Errorf("cannot resolve %q against %s: it leads to a file of this machine", location, b.Redacted())
	}
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" {
		return "", fmt.Errorf("cannot resolve %q against %s: only http, https and file are followed", location, b.Redacted())
	}
	if u.Scheme != "file" && u.Host == "" {
		return "", fmt.Errorf("cannot resolve %q against %s: no host", location, b.Redacted())
	}
	return u.String(), nil
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
	return folder(u), nil
}

func folder(u *url.URL) *url.URL {
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
		if u.RawPath != "" {
			u.RawPath += "/"
		}
	}
	u.Fragment = ""
	return u
}
