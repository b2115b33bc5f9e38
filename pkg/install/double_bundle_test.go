package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
	"kubecrate/pkg/nevra"
)

// bundled are the packages of a runtime's bundle, with what each requires.
func bundled(runtime string) []string {
	list := []string{
		"kubeadm-1.17.4-0.x86_64", "kubelet-1.17.4-0.x86_64", "kubectl-1.17.4-0.x86_64", "kubernetes-cni-0.8.7-0.x86_64", "cri-tools-1.13.0-0.x86_64",
		"conntrack-tools-1.4.4-7.el7.x86_64", "socat-1.7.3.2-2.el7.x86_64", "ebtables-2.0.10-16.el7.x86_64", "ethtool-4.8-10.el7.x86_64",
		"ipset-7.1-1.el7.x86_64", "ipvsadm-1.27-8.el7.x86_64", "chrony-3.4-1.el7.x86_64", "container-selinux-2:2.119.2-1.911c772.el7_8.noarch",
	}
	if runtime == manifest.RuntimeContainerd {
		return append(list, "containerd.io-1.6.33-3.1.el7.x86_64")
	}
	return append(list, "docker-ce-18.06.3.ce-3.el7.x86_64")
}

func controlPlane() []string {
	return []string{"k8s.gcr.io/kube-apiserver:v1.17.4", "k8s.gcr.io/kube-controller-manager:v1.17.4", "k8s.gcr.io/kube-scheduler:v1.17.4",
		"k8s.gcr.io/etcd:3.4.3-0", "k8s.gcr.io/coredns:1.6.5"}
}

func everywhere() []string {
	return []string{"k8s.gcr.io/kube-proxy:v1.17.4", "k8s.gcr.io/pause:3.1", "quay.io/coreos/flannel:v0.14.0", "nginx:1.14-alpine"}
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// builder makes the archive of a bundle.
type builder struct {
	t       *testing.T
	lock    manifest.Lock
	entries []archive.Entry
}

func (b *builder) member(path string, content []byte, kind manifest.Kind, roles ...manifest.Role) {
	b.entries = append(b.entries, archive.Entry{
		Artifact: manifest.Artifact{Path: path, Size: int64(len(content)), SHA256: sha(content), Kind: kind, Roles: roles},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	})
}

// writeBundle writes the default bundle, but for its size, into dir, and returns
// its path.
func writeBundle(t *testing.T, dir, runtime string) string {
	t.Helper()
	b := &builder{t: t, lock: manifest.Lock{APIVersion: manifest.APIVersion, Kind: manifest.KindLock, Name: "kubernetes-1.17.4-el7",
		Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Baseline: manifest.NoBaseline, Manifest: strings.Repeat("ab", 32)}}
	if runtime != manifest.RuntimeDocker {
		b.lock.Name += "-" + runtime
	}
	b.packages(runtime)
	b.images()
	yml, err := os.ReadFile("../../manifest/files/kube-flannel-0.14.0.yml")
	if err != nil {
		t.Fatal(err)
	}
	b.file("manifests/kube-flannel.yml", yml)
	profile, err := os.ReadFile("../../manifest/profiles/" + b.lock.Name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b.write(filepath.Join(dir, b.lock.Name+"-amd64.tar.zst"), whole(t, profile, runtime))
}

// file is a file for masters.
func (b *builder) file(path string, text []byte) {
	b.member(path, text, manifest.KindFile, manifest.Master)
	b.lock.Files = []manifest.LockedFile{{Path: path, URL: "https://example.invalid/" + filepath.Base(path), Size: int64(len(text)), SHA256: sha(text), Roles: []manifest.Role{manifest.Master}}}
}

// write makes the archive, with the bundle's manifest, and returns its path.
func (b *builder) write(path string, text []byte) string {
	b.t.Helper()
	lock, err := b.lock.Marshal()
	if err != nil {
		b.t.Fatal(err)
	}
	b.member("bundle.yaml", text, manifest.KindMeta)
	b.member("bundle.lock", lock, manifest.KindMeta)
	f, err := os.Create(path)
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = archive.Create(b.t.Context(), f, archive.CreateOptions{Name: b.lock.Name, Platform: b.lock.Platform, Level: archive.Fast}, b.entries)
	if err := errors.Join(err, f.Close()); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// whole is what a builder writes into an archive: a manifest that extends none.
func whole(t *testing.T, profile []byte, runtime string) []byte {
	t.Helper()
	if runtime == manifest.RuntimeDocker {
		return profile
	}
	base, err := os.ReadFile("../../manifest/profiles/kubernetes-1.17.4-el7.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("runtime: docker", "runtime: containerd", "name: kubernetes-1.17.4-el7", "name: kubernetes-1.17.4-el7-containerd",
		"- docker-ce-18.06.3.ce-3.el7", "- containerd.io-1.6.33-3.1.el7").Replace(string(base))
	return []byte(text)
}

func (b *builder) packages(runtime string) {
	var text strings.Builder
	text.WriteString(xml.Header + `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">`)
	list := slices.Sorted(slices.Values(bundled(runtime)))
	for _, id := range list {
		n, err := nevra.Parse(id)
		if err != nil {
			b.t.Fatal(err)
		}
		size := 400
		if strings.HasPrefix(id, "kube") {
			size = 100_000 // it has frames of its own, which are most of the file
		}
		content := make([]byte, size)
		seed := sha256.Sum256([]byte(id))
		_, _ = rand.NewChaCha8(seed).Read(content) // never fails
		fmt.Fprintf(&text, `<package type="rpm"><name>%s</name><arch>%s</arch><version epoch="%s" ver="%s" rel="%s"/><format></format></package>`,
			n.Name, n.Arch, "0"+n.Epoch, n.Version, n.Release)
		b.member("rpms/"+n.FileName(), content, manifest.KindRPM)
		b.lock.Packages = append(b.lock.Packages, manifest.LockedPackage{NEVRA: n, Repo: "base", Location: n.FileName(), URL: "https://example.invalid/" + n.FileName(),
			Size: int64(len(content)), SHA256: sha(content), Why: []manifest.LockedReason{{Root: n.Name}}})
	}
	text.WriteString("</metadata>")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, text.String())
	if err := errors.Join(err, z.Close()); err != nil {
		b.t.Fatal(err)
	}
	b.member("rpms/repodata/repomd.xml", []byte("<repomd/>"), manifest.KindRepodata)
	b.member("rpms/repodata/abc-primary.xml.gz", packed.Bytes(), manifest.KindRepodata)
}

// images are tiny, and share a layer.
func (b *builder) images() {
	blobs := map[string][]byte{}
	put := func(text []byte) manifest.LockedBlob {
		digest := "sha256:" + sha(text)
		blobs[digest] = text
		return manifest.LockedBlob{Digest: digest, Size: int64(len(text))}
	}
	layer := func(content string) manifest.LockedLayer {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))})
		_, werr := io.WriteString(w, content)
		if err := errors.Join(err, werr, w.Close()); err != nil {
			b.t.Fatal(err)
		}
		blob := put(out.Bytes())
		return manifest.LockedLayer{LockedBlob: blob, MediaType: image.OCILayer, DiffID: blob.Digest}
	}
	base := layer("base")
	for _, name := range slices.Sorted(slices.Values(append(controlPlane(), everywhere()...))) {
		layers := []manifest.LockedLayer{base, layer(name)}
		config, err := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux", "author": name,
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layers[0].DiffID, layers[1].DiffID}}})
		if err != nil {
			b.t.Fatal(err)
		}
		img := manifest.LockedImage{Name: name, Source: name, Digest: "sha256:" + sha([]byte(name)), Platform: "linux/amd64", MediaType: image.OCIManifest,
			Size: 1, Config: put(config), Layers: layers}
		if slices.Contains(controlPlane(), name) && !strings.Contains(name, "coredns") {
			img.Roles = []manifest.Role{manifest.Master}
		}
		b.lock.Images = append(b.lock.Images, img)
	}
	files, err := image.Layout(b.lock.Images, func(d string) ([]byte, error) { return blobs[d], nil }, func(d string) (int64, error) { return int64(len(blobs[d])), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range files.Small {
		b.member(f.Path, f.Content, manifest.KindImage)
	}
	for _, l := range files.Layers {
		b.member(l.Path, blobs[l.Digest], manifest.KindImage, l.Roles...)
	}
}
