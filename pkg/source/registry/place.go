package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/source"
)

// The items of a repository, as its URLs name them.
const (
	manifests = "manifests"
	blobs     = "blobs"
	tags      = "tags"
)

// place is a repository of a registry that may hold an image.
type place struct {
	name   string // "host/repository", the host as people write it
	scheme string // as far as it is known before the handshake
	repo   name.Repository
	client *http.Client
}

// url is where an item ("blobs", "manifests", "tags") of the repository is.
func (pl *place) url(item, id string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s/%s", pl.scheme, pl.repo.RegistryStr(), pl.repo.RepositoryStr(), item, id)
}

// location is where to get an item; manifests are wanted as they are.
func (pl *place) location(item, id string) source.Location {
	l := source.Location{URL: pl.url(item, id), Client: pl.client}
	if item == manifests {
		l.Header = http.Header{"Accept": {accept()}}
	}
	return l
}

// accept names every type that can be read, so that a registry never converts
// a manifest into an older format.
func accept() string {
	return strings.Join([]string{image.OCIManifest, image.DockerManifest, image.OCIIndex, image.DockerManifestList}, ", ")
}

// reference is how the place is asked for what ref names.
func (pl *place) reference(ref imageref.Reference) string {
	if ref.Digest != "" {
		return pl.name + "@" + ref.Digest
	}
	return pl.name + ":" + ref.Tag
}

// source is the reference without a digest, as the lock keeps it.
func (pl *place) source(ref imageref.Reference) string {
	if ref.Tag == "" {
		return pl.name
	}
	return pl.name + ":" + ref.Tag
}

// placesOf lists where ref may be, in the order to try: the mirrors for it, then
// the registry itself.
func (p *Puller) placesOf(ref imageref.Reference) ([]*place, error) {
	var places []*place
	prefix, rest := p.mirrored(ref)
	for _, mirror := range p.mirrors[prefix] {
		pl, err := p.mirrorPlace(prefix, mirror, rest)
		if err != nil {
			return nil, err
		}
		places = add(places, pl)
	}
	pl, err := p.place(ref.Registry, ref.Repository)
	if err != nil {
		return nil, err
	}
	return add(places, pl), nil
}

// mirrored finds the longest key of the mirrors that ref's registry and
// repository begin with, word by word, and what of the repository follows it.
func (p *Puller) mirrored(ref imageref.Reference) (prefix, rest string) {
	name := ref.Registry + "/" + ref.Repository
	for prefix = name; ; prefix = prefix[:strings.LastIndexByte(prefix, '/')] {
		if _, ok := p.mirrors[prefix]; ok || prefix == ref.Registry {
			return prefix, strings.TrimPrefix(name[len(prefix):], "/")
		}
	}
}

// mirrorPlace is where a mirror has the repository rest of what it mirrors;
// "" is the mirror itself.
func (p *Puller) mirrorPlace(of, mirror, rest string) (*place, error) {
	if strings.Contains(mirror, "://") {
		return nil, hint.With(fmt.Errorf("mirror %q of %s is a URL", mirror, of), "write it as HOST[:PORT]/PREFIX; to allow http: --insecure")
	}
	name := strings.TrimSuffix(mirror, "/")
	if rest != "" {
		name += "/" + rest
	}
	there, err := imageref.Parse(name + ":latest")
	if err != nil {
		return nil, fmt.Errorf("mirror %q of %s is not HOST[:PORT]/PREFIX: %w", mirror, of, err)
	}
	if !strings.Contains(name, "/") {
		return nil, fmt.Errorf("mirror %q of %s names a registry without a repository", mirror, of)
	}
	return p.place(there.Registry, there.Repository)
}

func add(places []*place, pl *place) []*place {
	if slices.Contains(places, pl) {
		return places
	}
	return append(places, pl)
}

// place gives the one session with a repository. Nothing is sent yet.
func (p *Puller) place(registry, repository string) (*place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := registry + "/" + repository
	if pl, ok := p.places[key]; ok {
		return pl, nil
	}
	var options []name.Option
	scheme := "https"
	if p.options.Insecure || isLoopback(registry) {
		options, scheme = append(options, name.Insecure), "http"
	}
	repo, err := name.NewRepository(key, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot read repository %s: %w", key, err)
	}
	guarded := &guard{next: p.options.Transport, insecure: p.options.Insecure, registry: &url.URL{Scheme: scheme, Host: repo.RegistryStr()}}
	pl := &place{name: key, scheme: scheme, repo: repo, client: &http.Client{Transport: newSession(repo, p.options.Keychain, guarded)}}
	p.places[key] = pl
	return pl, nil
}

// isLoopback says whether host[:port] is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return source.IsLoopback(strings.Trim(host, "[]"))
}

// errPlainHTTP is the refusal to speak http over a network.
var errPlainHTTP = errors.New("plain http is allowed only to this machine")

// guard stands between every request and the network: the handshake, tokens,
// manifests, blobs and their redirects.
type guard struct {
	next     http.RoundTripper
	insecure bool
	registry *url.URL
}

// RoundTrip refuses plain http to other machines, and to be led by a registry,
// to a place for tokens perhaps, where no redirect may lead.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.insecure && !isLoopback(req.URL.Host) {
		return nil, hint.With(fmt.Errorf("cannot ask %s: %w", req.URL.Host, errPlainHTTP), "add --insecure if you trust the network to %s", req.URL.Host)
	}
	if req.URL.Host != g.registry.Host {
		if err := source.CheckRedirect(req.Context(), g.registry, req.URL); err != nil {
			return nil, err
		}
	}
	return g.next.RoundTrip(req)
}

// newTransport never unpacks what it carries, since
// digests are of what was sent. That an answer comes at all, the Fetcher sees to.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         source.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     time.Minute,
	}
}
