package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is a real docker-registry on 127.0.0.1.
type Registry struct {
	Addr string // host:port
	Root string // its storage
}

const registryConfig = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
http: {addr: %s}
`

// StartRegistry starts docker-registry over the storage in root.
func (l *Lab) StartRegistry(ctx context.Context, label, root string) (*Registry, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the registry's storage: %w", err)
	}
	config := filepath.Join(l.Dir, label+".yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, root, addr), 0o644); err != nil {
		return nil, fmt.Errorf("cannot configure the registry: %w", err)
	}
	p, err := l.Start(label, "docker-registry", "serve", config)
	if err != nil {
		return nil, err
	}
	r := &Registry{Addr: addr, Root: root}
	err = p.Ready(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v2/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// Push uploads img as path, "google_containers/pause:3.1".
func (r *Registry) Push(ctx context.Context, path string, img v1.Image) error {
	ref, err := name.NewTag(r.Addr+"/"+path, name.Insecure)
	if err != nil {
		return fmt.Errorf("cannot push %s: %w", path, err)
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("cannot push %s: %w", path, err)
	}
	return nil
}

// PushIndex uploads idx, with the images it names, as path.
func (r *Registry) PushIndex(ctx context.Context, path string, idx v1.ImageIndex) error {
	ref, err := name.NewTag(r.Addr+"/"+path, name.Insecure)
	if err != nil {
		return fmt.Errorf("cannot push %s: %w", path, err)
	}
	if err := remote.WriteIndex(ref, idx, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("cannot push %s: %w", path, err)
	}
	return nil
}
