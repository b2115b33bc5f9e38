package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"kubecrate/test/e2e/lab"
)

const stockName = "skopeo copy, tar | zstd -3"

// bench is one run and what it found.
type bench struct {
	lab     *lab.Lab
	program string
	n       int

	images   []lab.Image
	registry *lab.Registry
	results  map[string]figure
	order    []string
	notes    []string
	weights  atomic.Int64
}

// set makes sure of the registry with the nine images.
func (b *bench) set(ctx context.Context) (err error) {
	if b.registry != nil {
		return nil
	}
	if b.images, err = b.lab.BenchSet(ctx); err != nil {
		return err
	}
	b.registry, err = b.lab.Filled(ctx, "bench", b.images)
	return err
}

// stockTools is what a person does without bundle: it checks and unpacks nothing.
func (b *bench) stockTools(ctx context.Context) error {
	if err := b.set(ctx); err != nil {
		return err
	}
	f, err := median(b.n, func(i int) (figure, error) {
		layout := filepath.Join(b.lab.Dir, fmt.Sprintf("skopeo-%d", i))
		out := layout + ".tar.zst"
		var sum figure
		for _, img := range b.images {
			f, err := b.measured(ctx, "", "skopeo", "copy", "--quiet", "--src-tls-verify=false",
				"docker://"+b.registry.Addr+"/"+img.Path, "oci:"+layout+":"+img.Name)
			if err != nil {
				return f, err
			}
			sum.wall, sum.cpu, sum.peak = sum.wall+f.wall, sum.cpu+f.cpu, max(sum.peak, f.peak)
		}
		f, err := b.piped(ctx, []string{"tar", "-C", layout, "-c", "."}, []string{"zstd", "-q", "-T0", "-3", "-o", out})
		if err != nil {
			return f, err
		}
		size, err := bytesOf(out)
		return figure{wall: sum.wall + f.wall, cpu: sum.cpu + f.cpu, peak: max(sum.peak, f.peak), bytes: size},
			errors.Join(err, os.Remove(out), os.RemoveAll(layout))
	})
	if err != nil {
		return err
	}
	b.record(stockName, f)
	return nil
}

func bytesOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// job is a folder with a manifest of images, a cache and a target.
type job struct{ dir string }

const manifestHead = `apiVersion: kubecrate/v1
kind: Bundle
name: bench
platform: {family: el7, arch: amd64}
kubernetes: v1.17.4
runtime: docker
network: flannel
packages: {baseline: none, roots: [], repos: []}
images:
  mirrors:
    k8s.gcr.io: [%[1]s/google_containers]
    quay.io: [%[1]s]
    docker.io: [%[1]s]
  list:
`

// job makes the folder of a build of images from the registry at addr.
func (b *bench) job(label, addr string, images []lab.Image) (*job, error) {
	dir, err := os.MkdirTemp(b.lab.Dir, label+"-")
	if err != nil {
		return nil, err
	}
	j := &job{dir: dir}
	if err := j.write(addr, images); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *job) write(addr string, images []lab.Image) error {
	var text strings.Builder
	fmt.Fprintf(&text, manifestHead, addr)
	for _, img := range images {
		fmt.Fprintf(&text, "    - %s\n", img.Name)
	}
	return os.WriteFile(filepath.Join(j.dir, "bench.yaml"), []byte(text.String()), 0o644)
}

// build runs bundle build in the folder and weighs the archive.
func (b *bench) build(ctx context.Context, j *job, level string, more ...string) (figure, error) {
	out := filepath.Join(j.dir, "out")
	argv := append([]string{b.program, "build", "bench.yaml", "-o", out, "--cache", filepath.Join(j.dir, "cache"),
		"--level", level, "--progress", "none"}, more...)
	f, err := b.measured(ctx, j.dir, argv...)
	if err != nil {
		return f, err
	}
	f.bytes, err = bytesOf(filepath.Join(out, "bench-amd64.tar.zst"))
	return f, errors.Join(err, os.RemoveAll(out))
}

// coldBuild builds in a folder of its own and removes it.
func (b *bench) coldBuild(ctx context.Context, addr, level string, images []lab.Image) (figure, error) {
	j, err := b.job("cold-"+level, addr, images)
	if err != nil {
		return figure{}, err
	}
	f, err := b.build(ctx, j, level)
	return f, errors.Join(err, os.RemoveAll(j.dir))
}

func (b *bench) cold(ctx context.Context) error {
	return b.coldAt(ctx, b.n, "fast", "default", "better")
}

func (b *bench) best(ctx context.Context) error { return b.coldAt(ctx, 1, "best") }

func (b *bench) coldAt(ctx context.Context, n int, levels ...string) error {
	if err := b.set(ctx); err != nil {
		return err
	}
	for _, level := range levels {
		f, err := median(n, func(int) (figure, error) { return b.coldBuild(ctx, b.registry.Addr, level, b.images) })
		if err != nil {
			return err
		}
		b.record("bundle "+level+", cold", f)
	}
	return nil
}

func (b *bench) warm(ctx context.Context) error {
	if err := b.set(ctx); err != nil {
		return err
	}
	for _, level := range []string{"fast", "default", "better"} {
		j, err := b.job("warm-"+level, b.registry.Addr, b.images)
		if err != nil {
			return err
		}
		if _, err := b.build(ctx, j, level); err != nil {
			return err
		}
		f, err := median(b.n, func(int) (figure, error) { return b.build(ctx, j, level) })
		if err := errors.Join(err, os.RemoveAll(j.dir)); err != nil {
			return err
		}
		b.record("bundle "+level+", warm", f)
	}
	return nil
}

// change rebuilds after one image got another layer beside its old ones.
func (b *bench) change(ctx context.Context) error {
	if err := b.set(ctx); err != nil {
		return err
	}
	for _, level := range []string{"default", "better"} {
		j, err := b.job("change-"+level, b.registry.Addr, b.images)
		if err != nil {
			return err
		}
		if _, err := b.build(ctx, j, level); err != nil {
			return err
		}
		f, err := median(b.n, func(i int) (figure, error) {
			images := append([]lab.Image(nil), b.images...)
			changed, err := b.changed(ctx, images[2], i)
			if err != nil {
				return figure{}, err
			}
			images[2] = changed
			if err := j.write(b.registry.Addr, images); err != nil {
				return figure{}, err
			}
			return b.build(ctx, j, level, "--update")
		})
		if err := errors.Join(err, os.RemoveAll(j.dir)); err != nil {
			return err
		}
		b.record("bundle "+level+", one changed", f)
	}
	return nil
}

// changed pushes img under another tag, with a program of another version.
func (b *bench) changed(ctx context.Context, img lab.Image, i int) (lab.Image, error) {
	id := fmt.Sprintf("%s-changed-%d", img.Layers[1].ID, i)
	base, err := b.lab.Build(ctx, img.Layers[1])
	if err != nil {
		return img, err
	}
	img.Layers = []lab.Layer{img.Layers[0], {ID: id, Write: func(_ context.Context, w io.Writer) error {
		return rewritten(w, base, fmt.Sprintf("kubernete%d", i%10))
	}}}
	img.Name = strings.TrimSuffix(img.Name, "v1.17.4") + fmt.Sprintf("v1.17.4-%d", i)
	img.Path = strings.TrimSuffix(img.Path, "v1.17.4") + fmt.Sprintf("v1.17.4-%d", i)
	made, err := b.lab.Image(ctx, img, "amd64")
	if err != nil {
		return img, err
	}
	return img, b.registry.Push(ctx, img.Path, made)
}

const lineRate = 25e6 // bytes a second

func (b *bench) limited(ctx context.Context) error {
	if err := b.set(ctx); err != nil {
		return err
	}
	gate, err := b.lab.Before(b.registry)
	if err != nil {
		return err
	}
	gate.Break(lab.Fault{Rate: lineRate})
	bare, err := median(b.n, func(int) (figure, error) { return b.download(ctx, gate) })
	if err != nil {
		return err
	}
	b.record("bare download at 25 MB/s", bare)
	for _, level := range []string{"default", "better"} {
		f, err := median(b.n, func(int) (figure, error) { return b.coldBuild(ctx, gate.Addr, level, b.images) })
		if err != nil {
			return err
		}
		b.record("bundle "+level+" at 25 MB/s", f)
		b.notes = append(b.notes, fmt.Sprintf("at 25 MB/s, %s takes %.2f of the bare download", level, f.wall.Seconds()/bare.wall.Seconds()))
	}
	return nil
}

// download fetches every blob of the set once, four at a time, and drops them.
func (b *bench) download(ctx context.Context, gate *lab.Gate) (figure, error) {
	began := time.Now()
	before := gate.Total()
	seen := map[string]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, img := range b.images {
		ref, err := name.NewTag(gate.Addr+"/"+img.Path, name.Insecure)
		if err != nil {
			return figure{}, err
		}
		remoteImage, err := remote.Image(ref, remote.WithContext(ctx))
		if err != nil {
			return figure{}, err
		}
		m, err := remoteImage.Manifest()
		if err != nil {
			return figure{}, err
		}
		for _, layer := range append([]v1.Descriptor{m.Config}, m.Layers...) {
			if seen[layer.Digest.String()] {
				continue
			}
			seen[layer.Digest.String()] = true
			url := gate.URL + "/v2/" + ref.RepositoryStr() + "/blobs/" + layer.Digest.String()
			g.Go(func() error { return drop(gctx, url) })
		}
	}
	err := g.Wait()
	return figure{wall: time.Since(began), bytes: gate.Total() - before, runs: 1}, err
}

func drop(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(resp.Status))
	}
	return errors.Join(err, resp.Body.Close())
}

// memory builds the image of 2 GB at every level.
func (b *bench) memory(ctx context.Context) error {
	images, err := b.lab.Huge(ctx)
	if err != nil {
		return err
	}
	r, err := b.lab.Filled(ctx, "huge", images)
	if err != nil {
		return err
	}
	for _, level := range []string{"fast", "default", "better", "best"} {
		f, err := b.coldBuild(ctx, r.Addr, level, images)
		if err != nil {
			return err
		}
		f.runs = 1
		b.record("2 GB image, "+level, f)
	}
	return nil
}
