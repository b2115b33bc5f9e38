package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is the recipe of an image.
type Image struct {
	Name       string // canonical: k8s.gcr.io/pause:3.1
	Path       string // at the mirror: google_containers/pause:3.1
	Layers     []Layer
	Entrypoint []string
	Cmd        []string
	Index      bool // pushed as an index of amd64 and arm64
}

// key changes with what the images hold.
func key(images []Image) string {
	h := sha256.New()
	for _, img := range images {
		fmt.Fprintf(h, "%s %s %v %v %v\n", img.Name, img.Path, img.Entrypoint, img.Cmd, img.Index)
		for _, layer := range img.Layers {
			fmt.Fprintf(h, "  %s\n", layer.ID)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Filled is a docker-registry that holds the images. Its storage is kept in
// the cache, so it is filled once; what tests push beside it stays there.
func (l *Lab) Filled(ctx context.Context, label string, images []Image) (*Registry, error) {
	root := filepath.Join(l.Cache, "registry-"+label+"-"+key(images))
	r, err := l.StartRegistry(ctx, "registry-"+label, root)
	if err != nil {
		return nil, err
	}
	done := filepath.Join(root, "filled")
	if _, err := os.Stat(done); err == nil {
		return r, nil
	}
	for _, img := range images {
		l.logf("pushing %s", img.Name)
		if err := l.push(ctx, r, img); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		return nil, fmt.Errorf("cannot note that the registry is filled: %w", err)
	}
	return r, nil
}

func (l *Lab) push(ctx context.Context, r *Registry, img Image) error {
	made, err := l.Image(ctx, img, "amd64")
	if err != nil {
		return err
	}
	if !img.Index {
		return r.Push(ctx, img.Path, made)
	}
	other, err := l.Image(ctx, img, "arm64")
	if err != nil {
		return err
	}
	idx := mutate.IndexMediaType(mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
	), types.DockerManifestList)
	return r.PushIndex(ctx, img.Path, idx)
}

// Image makes the image for an architecture (which only its config states).
func (l *Lab) Image(ctx context.Context, img Image, arch string) (v1.Image, error) {
	made := empty.Image
	for _, recipe := range img.Layers {
		layer, err := l.Build(ctx, recipe)
		if err != nil {
			return nil, err
		}
		if made, err = mutate.Append(made, mutate.Addendum{
			Layer:   layer,
			History: v1.History{Created: v1.Time{Time: stamp()}, CreatedBy: "lab " + recipe.ID},
		}); err != nil {
			return nil, fmt.Errorf("cannot make image %s: %w", img.Name, err)
		}
	}
	config, err := made.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot make image %s: %w", img.Name, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: stamp()}
	config.Config.Entrypoint, config.Config.Cmd = img.Entrypoint, img.Cmd
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	made, err = mutate.ConfigFile(made, config)
	if err != nil {
		return nil, fmt.Errorf("cannot make image %s: %w", img.Name, err)
	}
	return made, nil
}

// Standard are images named as the default profile's, with what a machine that
// has Go and debootstrap holds anyway, and one of more than 500 MB unpacked.
func (l *Lab) Standard(ctx context.Context) ([]Image, error) {
	goroot, err := Run(ctx, "go", "env", "GOROOT")
	if err != nil {
		return nil, fmt.Errorf("cannot find Go: %w", err)
	}
	goroot = strings.TrimSpace(goroot)
	tool := func(name string) string {
		return filepath.Join(goroot, "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH, name)
	}
	id := func(name string) string { return name + "-" + runtime.Version() }
	pause, err := l.pause(ctx)
	if err != nil {
		return nil, err
	}
	static := Texts("static-1", [2]string{"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"},
		[2]string{"etc/nsswitch.conf", "hosts: files dns\n"})
	root := TarFile("debian-root-2", l.Root)
	binary := func(name, source string) Layer {
		return Files(id(name), [2]string{"usr/local/bin/" + name, source})
	}
	kube := func(name string, layers ...Layer) Image {
		return Image{Name: "k8s.gcr.io/" + name, Path: "google_containers/" + name, Layers: layers,
			Cmd: []string{"/usr/local/bin/" + strings.Split(name, ":")[0]}}
	}
	nginx := Image{Name: "nginx:1.14-alpine", Path: "library/nginx:1.14-alpine", Layers: []Layer{static,
		binary("nginx", tool("asm")),
		Texts("nginx-conf-1", [2]string{"etc/nginx/nginx.conf", "worker_processes 1;\n"}),
		Texts("nginx-html-1", [2]string{"usr/share/nginx/html/index.html", "<h1>Welcome</h1>\n"})}}
	flannel := Image{Name: "quay.io/coreos/flannel:v0.14.0", Path: "coreos/flannel:v0.14.0", Index: true,
		Layers: []Layer{root, binary("flanneld", tool("vet"))}}
	return []Image{
		kube("kube-apiserver:v1.17.4", static, binary("kube-apiserver", tool("compile"))),
		kube("kube-controller-manager:v1.17.4", static, binary("kube-controller-manager", tool("link"))),
		kube("kube-scheduler:v1.17.4", static, binary("kube-scheduler", tool("cover"))),
		kube("kube-proxy:v1.17.4", root, binary("kube-proxy", tool("fix"))),
		kube("pause:3.1", Files(id("pause"), [2]string{"pause", pause})),
		kube("etcd:3.4.3-0", static, binary("etcd", filepath.Join(goroot, "bin", "go")), binary("etcdctl", tool("cgo"))),
		kube("coredns:1.6.5", static, binary("coredns", filepath.Join(goroot, "bin", "gofmt"))),
		flannel, nginx,
		kube("conformance:v1.17.4", root, Files(id("goroot"), [2]string{"usr/local/go", goroot})),
	}, nil
}

const pauseSource = `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	<-c
}
`

func (l *Lab) pause(ctx context.Context) (string, error) {
	dir := filepath.Join(l.Cache, "pause")
	out := filepath.Join(dir, "pause")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot build pause: %w", err)
	}
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(pauseSource), 0o644); err != nil {
		return "", fmt.Errorf("cannot build pause: %w", err)
	}
	_, err := RunIn(ctx, dir, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, source)
	if err != nil {
		return "", fmt.Errorf("cannot build pause: %w", err)
	}
	return out, nil
}
