package image

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// The registry and the namespace that a name without them means, and the older
// name of that registry, which docker still takes for the same.
const (
	DefaultRegistry  = "docker.io"
	legacyRegistry   = "index.docker.io"
	defaultNamespace = "library/"
	defaultTag       = "latest"
)

// maxName bounds registry and repository together, as the distribution
// project's reference grammar does; maxReference bounds all of a reference.
const (
	maxName      = 255
	maxReference = maxName + 1 + 128 + 1 + 7 + 64
)

// The grammar of the distribution project, reference/regexp.go: a registry is
// host names, an IPv4 or a bracketed IPv6 address with an optional port.
var (
	registryGrammar = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$`)
	repoGrammar     = regexp.MustCompile(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestGrammar   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	hexGrammar      = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Reference is an image name taken apart. Registry and Repository are complete
// ("docker.io", "library/nginx"); Tag and Digest are not both empty.
type Reference struct {
	Registry   string
	Repository string
	Tag        string
	Digest     string // "sha256:HEX"
}

// ParseReference reads a name as docker does: without a registry it means
// docker.io, without a namespace there it means library/, and with neither tag
// nor digest it means the tag latest, which becomes explicit.
func ParseReference(name string) (Reference, error) {
	r, err := parseReference(name)
	if err != nil {
		return Reference{}, fmt.Errorf("cannot read image name %s: %w", quoted(name), err)
	}
	return r, nil
}

func parseReference(name string) (Reference, error) {
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
	if pinned && !digestGrammar.MatchString(digest) {
		if _, sum, _ := strings.Cut(digest, ":"); sum != "" && !strings.HasPrefix(digest, "sha256:") && !strings.Contains(sum, ":") {
			return Reference{}, CheckDigest(digest)
		}
		return Reference{}, fmt.Errorf("digest %s is not sha256: and 64 lower-case hex digits", quoted(digest))
	}
	tag := ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, tag = rest[:i], rest[i+1:]
		if !tagGrammar.MatchString(tag) {
			return Reference{}, fmt.Errorf("tag %s is not letters, digits, '_', '.' and '-', at most 128", quoted(tag))
		}
	}
	registry, repo := splitRegistry(rest)
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
		return Reference{}, fmt.Errorf("registry and repository are longer than %d bytes", maxName)
	}
	if tag == "" && digest == "" {
		tag = defaultTag
	}
	return Reference{Registry: registry, Repository: repo, Tag: tag, Digest: digest}, nil
}

func checkRepository(registry, repo, whole string) error {
	if !registryGrammar.MatchString(registry) || registry[0] == '[' && !hasIPv6(registry) {
		return fmt.Errorf("%s is not a registry's host[:port]", quoted(registry))
	}
	if !repoGrammar.MatchString(repo) {
		if repoGrammar.MatchString(strings.ToLower(repo)) {
			return fmt.Errorf("repository %s must be lower case", quoted(repo))
		}
		return fmt.Errorf("%s is not a repository", quoted(repo))
	}
	if hexGrammar.MatchString(whole) {
		return errors.New("it is an image ID, not a name")
	}
	return nil
}

func hasIPv6(registry string) bool {
	addr, err := netip.ParseAddr(registry[1:strings.IndexByte(registry, ']')])
	return err == nil && addr.Is6()
}

// splitRegistry takes the part before the first slash for a registry if it
// cannot be a namespace: it holds a dot or a colon, or it is localhost.
func splitRegistry(name string) (registry, repo string) {
	first, rest, found := strings.Cut(name, "/")
	if !found || (!strings.ContainsAny(first, ".:") && first != "localhost") {
		return DefaultRegistry, name
	}
	return first, rest
}

// String is the canonical name, see Canonical.
func (r Reference) String() string { return r.suffixed(r.familiar(), r.Tag, r.Digest) }

// Full is the name as containerd and the kubelet's CRI keep it, see FullName.
func (r Reference) Full() string {
	if r.Digest != "" {
		return r.suffixed(r.Registry+"/"+r.Repository, "", r.Digest)
	}
	return r.suffixed(r.Registry+"/"+r.Repository, r.Tag, "")
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
	return r.suffixed(r.familiar(), r.Tag, "")
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

func (Reference) suffixed(name, tag, digest string) string {
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
	r, err := ParseReference(name)
	if err != nil {
		return "", err
	}
	return r.String(), nil
}

// FullName is the name under which containerd keeps an image and a kubelet
// asks for it: "nginx:1.14-alpine" gives "docker.io/library/nginx:1.14-alpine".
// Beside a digest the tag is dropped, as containerd's CRI plugin drops it.
func FullName(name string) (string, error) {
	r, err := ParseReference(name)
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
