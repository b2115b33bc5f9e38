// Package source downloads content into the store: from one mirror after another,
// resumed, retried and verified. The packages below it interpret the content:
// rpmrepo yum repositories, registry images, file single files.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/store"
)

// Location is one location of content: an https URL, an http URL if allowed, a file
// URL or an absolute path.
type Location struct {
	URL    string
	Client *http.Client // nil: the fetcher's own
	Header http.Header  // sent with the request; not to another host on a redirect where it is secret
}

// Blob is content to be fetched.
type Blob struct {
	Name      string     // for people, and unique among what is fetched at a time
	Digest    string     // "sha256:HEX", also sha1, sha224, sha384 and sha512; "" unknown
	Size      int64      // bytes; below 1 unknown
	Limit     int64      // bytes it may have at most where Size is unknown; 0 is DefaultLimit
	Locations []Location // tried in order
	Hint      string     // hint if the digest is wrong; "" is to recreate the lock
	Gone      string     // hint if no location has it
}

// Result is a blob in the store.
type Result struct {
	Digest string // sha256
	Size   int64  // bytes
	URL    string // where its last bytes came from, "" if it was in the store before
}

// DefaultLimit bounds a blob of unknown size, in bytes.
const DefaultLimit = 16 << 30

// The defaults of Options.
const (
	DefaultJobs    = 4
	DefaultStall   = 30 * time.Second
	DefaultRetries = 4
	DefaultBackoff = 500 * time.Millisecond
)

// Options configure a Fetcher.
type Options struct {
	Jobs     int           // downloads at a time
	Insecure bool          // http to other hosts than loopback
	Stall    time.Duration // a connection that brings no byte for this long is cut
	Retries  int           // tries at one mirror that bring nothing new
	Backoff  time.Duration // before the second try; doubled before each further one
	Report   progress.Func
	Netrc    string // where logins are; "" is what credential.NetrcPath says
}

// Fetcher fetches blobs into a store. It is safe for concurrent use.
type Fetcher struct {
	store  *store.Store
	opt    Options
	client *http.Client
	logins func() *credential.Netrc
	slots  chan struct{} // one for each active download

	mu       sync.Mutex
	flights  map[string]*flight
	verified map[string]bool      // digests hashed by this process
	down     map[string]bool      // hosts that did not answer; asked last
	told     map[string]time.Time // when something was said about a host
}

// New returns a Fetcher that downloads into s.
func New(s *store.Store, o Options) *Fetcher {
	o.Jobs = orDefault(o.Jobs, DefaultJobs)
	o.Stall = orDefault(o.Stall, DefaultStall)
	o.Retries = orDefault(o.Retries, DefaultRetries)
	o.Backoff = orDefault(o.Backoff, DefaultBackoff)
	if o.Netrc == "" {
		o.Netrc = credential.NetrcPath(os.Getenv)
	}
	return &Fetcher{
		logins: sync.OnceValue(func() *credential.Netrc { return readLogins(o) }),
		store:  s, opt: o, client: &http.Client{Transport: newTransport()},
		slots:   make(chan struct{}, o.Jobs),
		flights: map[string]*flight{}, verified: map[string]bool{}, down: map[string]bool{}, told: map[string]time.Time{},
	}
}

func orDefault[T int | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// Store is where the blobs go.
func (f *Fetcher) Store() *store.Store { return f.store }

// Fetch brings b into the store and returns when every byte of it was verified
// there. What is in the store already is hashed once a process. Two calls for
// one digest share a download. A *Error says what each mirror did; when ctx
// ends, what has arrived stays for the next time.
func (f *Fetcher) Fetch(ctx context.Context, b Blob) (Result, error) {
	if err := check(b); err != nil {
		return Result{}, err
	}
	if res, ok, err := f.stored(ctx, b); ok || err != nil {
		return res, err
	}
	fl := f.join(ctx, b)
	defer fl.leave()
	select {
	case <-fl.ended:
		return fl.result, fl.err
	case <-ctx.Done():
		return Result{}, fmt.Errorf("cannot fetch %s: %w", b.Name, context.Cause(ctx))
	}
}

func check(b Blob) error {
	if b.Digest == "" {
		return nil
	}
	if err := store.CheckDigest(b.Digest); err != nil {
		return fmt.Errorf("cannot fetch %s: %w", b.Name, err)
	}
	return nil
}

// stored looks for b in the store; what is damaged there counts as absent.
func (f *Fetcher) stored(ctx context.Context, b Blob) (res Result, ok bool, err error) {
	sum, size, ok := f.store.Lookup(b.Digest)
	if !ok {
		return res, false, nil
	}
	if !f.isVerified(b.Digest) {
		err := f.store.Verify(ctx, b.Digest)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
			f.opt.Report.Report(progress.Event{Kind: progress.Warn, Stage: stage, Task: b.Name, Text: "was " + err.Error() + "; downloading it again"})
			return res, false, nil
		}
		if err != nil {
			return res, false, fmt.Errorf("cannot fetch %s: %w", b.Name, err)
		}
		f.setVerified(b.Digest)
	}
	if b.Size > 0 && size != b.Size {
		return res, false, fmt.Errorf("cannot fetch %s: the content with digest %s is %d bytes, not %d", b.Name, b.Digest, size, b.Size)
	}
	return Result{Digest: sum, Size: size}, true, nil
}

func (f *Fetcher) isVerified(digest string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.verified[digest]
}

func (f *Fetcher) setVerified(digest string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verified[digest] = true
}

// acquire takes the right to download.
func (f *Fetcher) acquire(ctx context.Context) error {
	select {
	case f.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *Fetcher) release() { <-f.slots }
