package demo

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const mB = 1000 * kB

// demoImage is one image of the demo: repository on the mirror, tag, and the
// program that its own layer holds. Images on the same base share its layer.
type demoImage struct {
	repository, tag string
	base            string
	program         string
	size            int // bytes of the program
}

func demoImages() []demoImage {
	const distroless, alpine = "distroless", "alpine"
	return []demoImage{
		{"google_containers/kube-apiserver", "v1.17.4", distroless, "kube-apiserver", 6 * mB},
		{"google_containers/kube-controller-manager", "v1.17.4", distroless, "kube-controller-manager", 5 * mB},
		{"google_containers/kube-scheduler", "v1.17.4", distroless, "kube-scheduler", 3 * mB},
		{"google_containers/kube-proxy", "v1.17.4", distroless, "kube-proxy", 3 * mB},
		{"google_containers/pause", "3.1", "", "pause", 700 * kB},
		{"google_containers/etcd", "3.4.3-0", distroless, "etcd", 4 * mB},
		{"google_containers/coredns", "1.6.5", "", "coredns", 3 * mB},
		{"coreos/flannel", "v0.14.0", alpine, "flanneld", 3 * mB},
		{"library/nginx", "1.14-alpine", alpine, "nginx", mB},
	}
}

// pushImages puts the demo's images into the registry at address.
func pushImages(ctx context.Context, address string) error {
	bases := map[string]v1.Layer{}
	for _, img := range demoImages() {
		var layers []v1.Layer
		if img.base != "" {
			if bases[img.base] == nil {
				base, err := layer("usr/lib/"+img.base, 4*mB)
				if err != nil {
					return err
				}
				bases[img.base] = base
			}
			layers = append(layers, bases[img.base])
		}
		own, err := layer("usr/local/bin/"+img.program, img.size)
		if err != nil {
			return err
		}
		if err := push(ctx, address, img, append(layers, own)); err != nil {
			return fmt.Errorf("cannot push the demo's image %s: %w", img.repository, err)
		}
	}
	return nil
}

func push(ctx context.Context, address string, img demoImage, layers []v1.Layer) error {
	ref, err := name.NewTag(address+"/"+img.repository+":"+img.tag, name.Insecure)
	if err != nil {
		return err
	}
	built, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Created = v1.Time{Time: signedAt}
	config.Config.Entrypoint = []string{"/usr/local/bin/" + img.program}
	if built, err = mutate.ConfigFile(built, config); err != nil {
		return err
	}
	return remote.Write(ref, built, remote.WithContext(ctx))
}

// layer is a gzip layer with one file of size bytes; its content follows from
// its path.
func layer(path string, size int) (v1.Layer, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	const executable = 0o755
	if err := t.WriteHeader(&tar.Header{Name: path, Mode: executable, Size: int64(size), ModTime: signedAt, Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if _, err := t.Write(program(path, size)); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}

// program makes bytes that compress about as programs do: random words drawn
// from a vocabulary that all programs of the demo share.
func program(seed string, size int) []byte {
	const words, wordSize = 4096, 16
	vocabulary := rand.NewChaCha8(sha256.Sum256([]byte("vocabulary")))
	table := make([]byte, words*wordSize)
	_, _ = vocabulary.Read(table)                                  // never fails
	pick := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(seed)))) //nolint:gosec // nothing secret
	out := make([]byte, 0, size+wordSize)
	for len(out) < size {
		i := pick.IntN(words) * wordSize
		out = append(out, table[i:i+wordSize]...)
	}
	return out[:size]
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
