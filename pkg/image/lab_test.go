package image

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tool finds a program of the lab, or ends the test: it is skipped, except in
// the lab, where the program has to be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil && os.Getenv("KUBECRATE_LAB") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return p
}

func skopeo(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "skopeo"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("skopeo %q: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

func TestSkopeoReadsLayout(t *testing.T) {
	t.Parallel()
	tool(t, "skopeo")
	r, images := sample(t)
	dir := extract(t, r.archive(t, images...))
	for _, img := range images {
		if img.KeepDigest && img.MediaType == DockerManifest {
			continue // skopeo 1.9.3 looks names up among OCI manifests only
		}
		var seen struct {
			Digest, Architecture string
			Layers               []string
		}
		if err := json.Unmarshal(skopeo(t, "inspect", "oci:"+dir+":"+img.Name), &seen); err != nil {
			t.Errorf("%s: %v", img.Name, err)
			continue
		}
		if seen.Architecture != "amd64" || len(seen.Layers) != len(img.Layers) || (seen.Digest == img.Digest) != img.KeepDigest {
			t.Errorf("%s: %+v", img.Name, seen)
		}
		to := filepath.Join(t.TempDir(), "copy")
		skopeo(t, "copy", "oci:"+dir+":"+img.Name, "dir:"+to)
		if config, err := os.ReadFile(filepath.Join(to, img.Config.Digest[7:])); err != nil || digestOf(config) != img.Config.Digest {
			t.Errorf("%s: the image ID changed: %v", img.Name, err)
		}
	}
}

func TestSkopeoReadsDockerStream(t *testing.T) {
	t.Parallel()
	tool(t, "skopeo")
	r, images := sample(t)
	path := filepath.Join(t.TempDir(), "images.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{images[0].Name, images[1].Name, images[2].Name}
	if err := WriteDocker(t.Context(), f, r.archive(t, images...), names); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		to := filepath.Join(t.TempDir(), "copy")
		skopeo(t, "copy", "docker-archive:"+path+":"+name, "dir:"+to)
		if _, err := os.Stat(filepath.Join(to, images[i].Config.Digest[7:])); err != nil {
			t.Errorf("%s: the image ID changed: %v", name, err)
		}
	}
}

// BenchmarkWriteDocker says how fast a stream is hashed and written.
func BenchmarkWriteDocker(b *testing.B) {
	r := newRegistry()
	fsys := r.archive(b, r.image(b, "a:1", "a", r.layer(b, OCILayer, tarOf(b, "x", 64<<20))))
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := WriteDocker(b.Context(), io.Discard, fsys, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnpackLayer says how fast a gzip layer is unpacked and hashed.
func BenchmarkUnpackLayer(b *testing.B) {
	r := newRegistry()
	text := bytes.Repeat([]byte("a line of some text that compresses like binaries do not\n"), 1<<18)
	l := r.layer(b, DockerLayer+".gzip", append(tarOf(b, "x", 4<<20), text...))
	b.SetBytes(int64(len(r.raw[l.DiffID])))
	for b.Loop() {
		rc, err := UnpackLayer(l, bytes.NewReader(r.blobs[l.Digest]))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rc); err != nil {
			b.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
