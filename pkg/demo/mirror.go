package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// mirror is the outside world of the demo: a container registry and yum
// repositories on a loopback address, spoken to over their real protocols.
type mirror struct {
	address string // host:port
	key     string // armored public key of the RPMs' signer
	print   string // its fingerprint
	server  *http.Server
	done    chan error
}

// signedAt is when the demo's key was made; it must lie in the past.
var signedAt = time.Date(2020, time.March, 12, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant in all but grammar

// Mirror is a mirror that is being served, with a manifest that takes everything
// of the default profile from it.
type Mirror struct {
	Address  string // of its registry, host:port
	Manifest string // path of demo.yaml
	Close    func() error
}

// Serve serves the demo's mirror on a loopback address until it is closed, and
// writes the manifest and the key of the mirror below dir.
func Serve(ctx context.Context, dir string) (*Mirror, error) {
	m, err := startMirror(ctx)
	if err != nil {
		return nil, err
	}
	file, err := writeManifest(dir, m)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return &Mirror{Address: m.address, Manifest: file, Close: m.close}, nil
}

// startMirror fills a mirror and serves it until ctx ends or it is closed.
func startMirror(ctx context.Context) (*mirror, error) {
	signer, err := rpmtest.NewSigner("kubecrate demo", signedAt)
	if err != nil {
		return nil, fmt.Errorf("cannot create the demo's key: %w", err)
	}
	files, err := repositories(signer)
	if err != nil {
		return nil, err
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot serve the demo's mirror: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	mux.Handle("/", serveFiles(files))
	const headerTimeout = 10 * time.Second
	m := &mirror{
		address: listener.Addr().String(), key: string(signer.ArmoredPublicKey()), print: signer.Fingerprint(),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout},
		done:   make(chan error, 1),
	}
	go func() { m.done <- m.server.Serve(listener) }()
	if err := pushImages(ctx, m.address); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *mirror) close() error {
	if err := m.server.Close(); err != nil {
		return fmt.Errorf("cannot stop the demo's mirror: %w", err)
	}
	if err := <-m.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the demo's mirror: %w", err)
	}
	return nil
}

// repo is the URL of one of the yum repositories.
func (m *mirror) repo(id string) string { return "http://" + m.address + "/yum/" + id }

func serveFiles(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[path.Clean(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, path.Base(r.URL.Path), signedAt, bytes.NewReader(content))
	})
}

// repositories builds every RPM and the metadata of each repository; the keys
// of the result are paths on the mirror.
func repositories(signer *rpmtest.Signer) (map[string][]byte, error) {
	files := map[string][]byte{}
	byRepo := map[string][]repodata.Package{"base": nil, "updates": nil, "extras": nil, "docker-ce": nil, "kubernetes": nil}
	for _, p := range packages() {
		nevra, data, err := p.build(signer)
		if err != nil {
			return nil, err
		}
		v, err := rpm.Check(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("cannot read the demo's own %s: %w", p.nevra, err)
		}
		location := "Packages/" + nevra.FileName()
		files["/yum/"+p.repo+"/"+location] = data
		byRepo[p.repo] = append(byRepo[p.repo], repodata.Package{
			Metadata: *v.Metadata, Location: location, Size: int64(len(data)),
			Checksum:    repodata.Checksum{Type: "sha256", Value: hexSHA256(data)},
			HeaderStart: v.Header.Start, HeaderEnd: v.Header.End,
		})
	}
	for id, pkgs := range byRepo {
		written := map[string]*buffer{}
		create := func(name string) (io.WriteCloser, error) {
			written[name] = &buffer{}
			return written[name], nil
		}
		if err := repodata.Write(create, pkgs, repodata.WriteOptions{Revision: "1"}); err != nil {
			return nil, fmt.Errorf("cannot write the demo's repository %s: %w", id, err)
		}
		for name, b := range written {
			files["/yum/"+id+"/repodata/"+strings.TrimPrefix(name, "repodata/")] = b.Bytes()
		}
	}
	return files, nil
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }
