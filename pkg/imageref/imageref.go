// Package imageref is the grammar of image names and their spellings: docker's
// short one, which kubecrate keeps, and the full one of containerd. Every other
// package compares and takes apart names through it.
//
// The grammar is that of the distribution project's reference package, with less
// let in: only sha256 digests, IPv6 addresses that are some, ports of five digits,
// and a first part in upper case is not a registry unless it has a dot or a port.
package imageref

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// DefaultRegistry is the registry that a name without one means.
const DefaultRegistry = "docker.io"

// The older name of that registry, which docker still takes for the same, its
// namespace for a name without one, and the tag of a name without one.
const (
	legacyRegistry   = "index.docker.io"
	defaultNamespace = "library/"
	defaultTag       = "latest"
)

// maxName bounds registry and repository together, as registries do;
// maxReference bounds all of a reference.
const (
	maxName      = 255
	maxReference = maxName + 1 + 128 + 1 + 7 + 64
)

var (
	registryGrammar = regexp.MustCompile("^(?:" + reference.DomainRegexp.String() + ")$")
	tagGrammar      = regexp.MustCompile("^(?:" + reference.TagRegexp.String() + ")$")
	hexGrammar      = regexp.MustCompile("^" + reference.IdentifierRegexp.String() + "$")
	digestGrammar   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Reference is an image name taken apart. Registry and Repository are complete
// ("docker.io", "library/nginx"); Tag and Digest are not both empty.
type Reference struct {
	Registry   string
	Repository string
	Tag        string
	Digest     string // "sha256:HEX"
}

// Parse reads a name as docker does: without a registry it means
// docker.io, without a namespace there it means library/, and with neither tag
// nor digest it means the tag latest, which becomes explicit.
func Parse(name string) (Reference, error) {
	r, err := parse(name)
	if err != nil {
		return Reference{}, fmt.Errorf("cannot read image name %s: %w", quoted(name), err)
	}
	return r, nil
}

func parse(name string) (Reference, error) {
	if name == "" {
		return Reference{}, errors.New("it is empty")
	}
	if len(name) > maxReference {
		return Reference{}, fmt.Errorf("it is %d bytes long, at most %d are allowed", len(name), maxReference)
	}
	if strings.Contains(name, "://") {
		return Reference{}, errors.New("it is a URL, write it without http:// or https://")
	}
	rest, digest, pinned := strings.Cut(name, "@")
	if pinned && !IsDigest(digest) {
		if _, sum, _ := strings.Cut(digest, ":"); sum != "" && !strings.HasPrefix(digest, "sha256:") && !strings.Contains(sum, ":") {
			return Reference{}, CheckDigest(digest)
		}
		return Reference{}, fmt.Errorf("digest %s is not sha256: and 64 lower-case hex digits", quoted(digest))
	}
	tag := ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, tag = rest[:i], rest[i+1:]
		if !IsTag(tag) {
			return Reference{}, fmt.Errorf("tag %s is not letters, digits, '_', '.' and '-', at most 128", quoted(tag))
		}
	}
	registry, repo := splitRegistry(rest)
	if len(rest) > maxName {
		return Reference{}, errLong
	}
	if err := checkRepository(registry, repo, rest); err != nil {
		return Reference{}, err
	}
	if registry == legacyRegistry {
		registry = DefaultRegistry
	}
	if registry == DefaultRegistry && !strings.Contains(repo, "/") {
		repo = defaultNamespace + repo
	}
	if len(registry)+1+len(repo) > maxName {
		return Reference{}, errLong
	}
	if tag == "" && digest == "" {
		tag = defaultTag
	}
	return Reference{Registry: registry, Repository: repo, Tag: tag, Digest: digest}, nil
}

var errLong = fmt.Errorf("registry and repository are longer than %d bytes", maxName)

func checkRepository(registry, repo, whole string) error {
	if !IsRegistry(registry) {
		return fmt.Errorf("%s is not a registry's host[:port]", quoted(registry))
	}
	if !IsRepository(repo) {
		if IsRepository(strings.ToLower(repo)) {
			return fmt.Errorf("repository %s must be lower case", quoted(repo))
		}
		return fmt.Errorf("%s is not a repository", quoted(repo))
	}
	if hexGrammar.MatchString(whole) {
		return errors.New("it is an image ID, not a name")
	}
	return nil
}

func splitRegistry(name string) (registry, repo string) {
	if !HasRegistry(name) {
		return DefaultRegistry, name
	}
	registry, repo, _ = strings.Cut(name, "/")
	return registry, repo
}

// String is the canonical name, see Canonical.
func (r Reference) String() string { return suffixed(r.familiar(), r.Tag, r.Digest) }

// Full is the name as containerd and the kubelet's CRI keep it, see Full.
func (r Reference) Full() string {
	if r.Digest != "" {
		return suffixed(r.Registry+"/"+r.Repository, "", r.Digest)
	}
	return suffixed(r.Registry+"/"+r.Repository, r.Tag, "")
}

// Identifier is what a registry is asked for: the digest, or else the tag.
func (r Reference) Identifier() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

// DockerTag is the canonical name that docker can tag an image with, "" where
// the reference has a digest only.
func (r Reference) DockerTag() string {
	if r.Tag == "" {
		return ""
	}
	return suffixed(r.familiar(), r.Tag, "")
}

// familiar leaves docker.io and library/ out, unless what remains would be
// read as another name.
func (r Reference) familiar() string {
	if r.Registry != DefaultRegistry {
		return r.Registry + "/" + r.Repository
	}
	short := r.Repository
	if bare, ok := strings.CutPrefix(short, defaultNamespace); ok && !strings.Contains(bare, "/") {
		short = bare
	}
	if registry, repo := splitRegistry(short); registry != DefaultRegistry || repo != short || hexGrammar.MatchString(short) {
		return r.Registry + "/" + r.Repository
	}
	return short
}

func suffixed(name, tag, digest string) string {
	if tag != "" {
		name += ":" + tag
	}
	if digest != "" {
		name += "@" + digest
	}
	return name
}

// Canonical is the one spelling of a name that kubecrate keeps: docker's
// familiar form with the tag explicit. "docker.io/library/nginx:1.14-alpine"
// gives "nginx:1.14-alpine", "nginx" gives "nginx:latest"; a digest stays.
func Canonical(name string) (string, error) {
	r, err := Parse(name)
	if err != nil {
		return "", err
	}
	return r.String(), nil
}

// Full is the name under which containerd keeps an image and a kubelet
// asks for it: "nginx:1.14-alpine" gives "docker.io/library/nginx:1.14-alpine".
// Beside a digest the tag is dropped, as containerd's CRI plugin drops it.
func Full(name string) (string, error) {
	r, err := Parse(name)
	if err != nil {
		return "", err
	}
	return r.Full(), nil
}

// quoted keeps a message short and printable whatever was given.
func quoted(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
