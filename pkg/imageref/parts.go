package imageref

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/distribution/reference"
)

// Parts is a name taken apart as it is written: nothing is filled in, and
// nothing is judged.
type Parts struct {
	Repository string // with its registry, where the name has one
	Tag        string
	Digest     string
}

// Split takes a name apart: "host:5000/a/b:1.2" has the repository
// "host:5000/a/b" and the tag "1.2".
func Split(name string) Parts {
	var p Parts
	p.Repository, p.Digest, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(p.Repository, ':'); i > strings.LastIndexByte(p.Repository, '/') {
		p.Repository, p.Tag = p.Repository[:i], p.Repository[i+1:]
	}
	return p
}

// Version is what tells the images of a repository apart: the digest, or else
// the tag.
func (p Parts) Version() string {
	if p.Digest != "" {
		return p.Digest
	}
	return p.Tag
}

// Tagged is the name without its digest.
func (p Parts) Tagged() string { return suffixed(p.Repository, p.Tag, "") }

// Base is the last part of the repository: "flannel" of quay.io/coreos/flannel.
func (p Parts) Base() string { return p.Repository[strings.LastIndexByte(p.Repository, '/')+1:] }

// Complete puts the registry and the namespace that a name leaves out before it:
// "nginx:1" gives "docker.io/library/nginx:1". It judges nothing, and leaves out
// the tag where name does.
func Complete(name string) string {
	registry, repo := splitRegistry(name)
	if registry == legacyRegistry {
		registry = DefaultRegistry
	}
	if registry == DefaultRegistry && !strings.Contains(repo, "/") {
		repo = defaultNamespace + repo
	}
	return registry + "/" + repo
}

// Same says whether two names are spellings of one. What is not a name is the
// same as its own text only.
func Same(a, b string) bool {
	if a == b {
		return true
	}
	one, err := Canonical(a)
	if err != nil {
		return false
	}
	two, err := Canonical(b)
	return err == nil && one == two
}

// IsRegistry says whether s is the HOST[:PORT] of a registry: a name, an IPv4
// address, or an IPv6 address in brackets.
func IsRegistry(s string) bool {
	const digits = 5 // of a port
	if !registryGrammar.MatchString(s) {
		return false
	}
	host, port, _ := strings.Cut(s[strings.IndexByte(s, ']')+1:], ":")
	if strings.HasPrefix(s, "[") {
		addr, err := netip.ParseAddr(s[1:strings.IndexByte(s, ']')])
		return err == nil && addr.Is6() && host == "" && len(port) <= digits
	}
	return len(port) <= digits
}

// HasRegistry says whether the first part of a name is a registry and no
// namespace: it holds a dot or a colon, or it is localhost.
func HasRegistry(name string) bool {
	first, _, found := strings.Cut(name, "/")
	return found && (strings.ContainsAny(first, ".:") || first == "localhost")
}

// IsRepository says whether s is a repository without its registry: lower-case
// parts with slashes between them.
func IsRepository(s string) bool {
	const host = "registry.example"
	named, err := reference.WithName(host + "/" + s)
	return err == nil && reference.Domain(named) == host && reference.Path(named) == s
}

// IsTag says whether s can be a tag.
func IsTag(s string) bool { return tagGrammar.MatchString(s) }

// IsDigest says whether s is "sha256:" and 64 lower-case hex digits, so that it
// is safe as part of a path.
func IsDigest(s string) bool { return digestGrammar.MatchString(s) }

// CheckDigest says what is wrong with a digest that is none, see IsDigest.
func CheckDigest(digest string) error {
	if IsDigest(digest) {
		return nil
	}
	if algorithm, _, ok := strings.Cut(digest, ":"); ok && algorithm != "sha256" {
		return fmt.Errorf("digest %s is of an algorithm that is not supported: only sha256 is", quoted(digest))
	}
	return fmt.Errorf("%s is not a digest", quoted(digest))
}
