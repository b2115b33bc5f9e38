// Package registry resolves images at container registries and returns the
// locations of their blobs: mirrors first, in order, and the image's own registry
// last.
//
// It speaks the OCI distribution-spec 1.0 (which is docker's registry API v2)
// with basic and bearer authentication. What it reads is bounded and checked
// against its digest; layers are left to the Fetcher, which resumes.
package registry

import (
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"kubecrate/pkg/imageref"
	"kubecrate/pkg/source"
)

// Options of a Puller; the zero value is valid.
type Options struct {
	Insecure  bool              // plain http to any registry, not to this machine only
	Keychain  authn.Keychain    // nil: docker's config and its credential helpers, then netrc
	Transport http.RoundTripper // nil: a transport with timeouts and proxies from the environment
}

// Puller resolves images. It is safe for use by several goroutines, and keeps
// one authenticated session with each repository.
type Puller struct {
	fetcher *source.Fetcher
	mirrors map[string][]string
	options Options

	mu     sync.Mutex
	places map[string]*place // by "host/repository"
}

// New makes a Puller that fetches through f, whose patience and retries apply.
// mirrors maps a registry ("k8s.gcr.io", "docker.io"), or the beginning of a
// repository's name in it ("registry.k8s.io/coredns"), to "host[:port][/prefix]"
// of places that hold what follows it. The longest key that fits counts, its
// places are tried in order, and the registry itself comes last, when every
// mirror lacks the image, has none that can be used, or cannot be reached.
func New(f *source.Fetcher, mirrors map[string][]string, o Options) *Puller {
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain(authn.DefaultKeychain, netrc{f})
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	p := &Puller{fetcher: f, mirrors: map[string][]string{}, options: o, places: map[string]*place{}}
	for registry, list := range mirrors {
		registry = strings.TrimSuffix(registry, "/")
		if rest, ok := strings.CutPrefix(registry, "index."+imageref.DefaultRegistry); ok && (rest == "" || rest[0] == '/') {
			registry = imageref.DefaultRegistry + rest
		}
		p.mirrors[registry] = append(p.mirrors[registry], list...)
	}
	return p
}

// netrc takes logins from the file that the Fetcher takes them from.
type netrc struct{ fetcher *source.Fetcher }

// Resolve implements authn.Keychain.
func (n netrc) Resolve(r authn.Resource) (authn.Authenticator, error) {
	hosts := []string{r.RegistryStr()}
	if hosts[0] == "index."+imageref.DefaultRegistry {
		hosts = append(hosts, imageref.DefaultRegistry)
	}
	for _, host := range hosts {
		if login, ok := n.fetcher.Login(host); ok {
			return authn.FromConfig(authn.AuthConfig{Username: login.User, Password: login.Password}), nil
		}
	}
	return authn.Anonymous, nil
}
