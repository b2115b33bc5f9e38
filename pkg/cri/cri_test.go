package cri_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/image"
	"kubecrate/pkg/step"
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// bundle makes images that share a layer, and the archive that holds them.
func bundle(t *testing.T, names ...string) (fstest.MapFS, []manifest.LockedImage) {
	t.Helper()
	blobs := map[string][]byte{}
	put := func(b []byte) manifest.LockedBlob {
		blobs[digest(b)] = b
		return manifest.LockedBlob{Digest: digest(b), Size: int64(len(b))}
	}
	layer := func(seed string, size int) manifest.LockedLayer {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		content := bytes.Repeat([]byte(seed), size/len(seed)+1)[:size]
		err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(size)})
		if _, werr := w.Write(content); err == nil {
			err = werr
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		blob := put(b.Bytes())
		return manifest.LockedLayer{LockedBlob: blob, MediaType: image.OCILayer, DiffID: blob.Digest}
	}
	base := layer("base", 300_000)
	var images []manifest.LockedImage
	for i, name := range names {
		layers := []manifest.LockedLayer{base, layer(name, 1000*(i+1))}
		config, err := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux", "author": name,
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layers[0].DiffID, layers[1].DiffID}}})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, manifest.LockedImage{Name: name, Source: name, Digest: digest([]byte("registry's " + name)), Platform: "linux/amd64",
			MediaType: image.OCIManifest, Config: put(config), Layers: layers})
	}
	files, err := image.Layout(images, func(d string) ([]byte, error) { return blobs[d], nil }, func(d string) (int64, error) { return int64(len(blobs[d])), nil })
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, f := range files.Small {
		fsys[f.Path] = &fstest.MapFile{Data: f.Content}
	}
	for _, l := range files.Layers {
		fsys[l.Path] = &fstest.MapFile{Data: blobs[l.Digest]}
	}
	return fsys, images
}

func journal(t *testing.T, h *host.Host) *step.Journal {
	t.Helper()
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return j
}

func apply(t *testing.T, h *host.Host, list []step.Step) error {
	t.Helper()
	return step.Run(t.Context(), h, journal(t, h), cri.All().Kinds(nil), list, func(step.Event) {})
}

func reset(t *testing.T, h *host.Host, list []step.Step) {
	t.Helper()
	if err := step.Reset(t.Context(), h, journal(t, h), cri.All().Kinds(nil), func(step.Event) {}); err != nil {
		t.Fatalf("reset: %v", err)
	}
}

func check(t *testing.T, h *host.Host, s step.Step) step.Status {
	t.Helper()
	st, err := s.Check(t.Context(), h)
	if err != nil {
		t.Fatalf("%s: %v", s.Name(), err)
	}
	if st.State == "" {
		st.State = step.Done
	}
	return st
}

func text(st step.Status) string {
	return strings.Join(slices.Concat(st.What, st.Warnings, []string{st.Hint}), "\n")
}

func runtime(t *testing.T, name string) cri.Runtime {
	t.Helper()
	r, err := cri.All().For(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFor(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{"docker": "/var/run/dockershim.sock", "containerd": "/run/containerd/containerd.sock"} {
		if r := runtime(t, name); r.Name() != name || r.Socket() != socket || len(r.Steps(cri.Options{})) == 0 {
			t.Errorf("%s is %s at %s", name, r.Name(), r.Socket())
		}
	}
	if _, err := cri.All().For("podman"); err == nil || !strings.Contains(err.Error(), "docker or containerd") {
		t.Errorf("podman: %v", err)
	}
	_, images := bundle(t, "nginx:1.14-alpine", "k8s.gcr.io/pause:3.1")
	if got := cri.Pause(images); got != "k8s.gcr.io/pause:3.1" || cri.Pause(images[:1]) != "" {
		t.Errorf("the pause image is %q", got)
	}
}

var errKilled = errors.New("killed")

// site is a host with a runtime, whose images' names and IDs state tells.
type site struct {
	h     *host.Host
	m     *hosttest.Machine
	state func() string
}

func (s *site) whole(t *testing.T) string { return s.m.State(t) + s.state() }

const nginx, pause = "nginx:1.14-alpine", "k8s.gcr.io/pause:3.1"

// sites are hosts on which the runtime was installed, and holds an image of the
// operator's under a name that the bundle uses.
func sites() map[string]func(t *testing.T, active bool) *site {
	return map[string]func(t *testing.T, active bool) *site{
		"docker": func(t *testing.T, active bool) *site {
			h, m := hosttest.New(t)
			d := hosttest.NewDocker(m)
			m.Write(t, "/etc/docker/daemon.json", "{\n  \"data-root\": \"/data\"\n}\n")
			m.Units["docker.service"] = &hosttest.Unit{Active: active, Enabled: active}
			d.Images["redis:6"], d.Images[nginx] = digest([]byte("redis")), digest([]byte("old"))
			return &site{h: h, m: m, state: d.State}
		},
		"docker with containerd": func(t *testing.T, active bool) *site {
			h, m := hosttest.New(t)
			d := hosttest.NewDocker(m)
			m.Units["docker.service"] = &hosttest.Unit{Active: active}
			m.Units["docker.socket"] = &hosttest.Unit{Active: active, Enabled: true}
			m.Units["containerd.service"] = &hosttest.Unit{Active: active, Enabled: true}
			return &site{h: h, m: m, state: d.State}
		},
		"containerd": func(t *testing.T, active bool) *site {
			h, m := hosttest.New(t)
			c := hosttest.NewContainerd(m)
			m.Write(t, "/etc/containerd/config.toml", "disabled_plugins = [\"cri\"]\n")
			m.Units["containerd.service"] = &hosttest.Unit{Active: active, Enabled: active}
			c.Images["docker.io/library/redis:6"], c.Images["docker.io/library/"+nginx] = digest([]byte("redis")), digest([]byte("old"))
			return &site{h: h, m: m, state: c.State}
		},
	}
}

// TestKilled: there and back, from a runtime that runs and from one that does not,
// killed before every call: the same run then goes on to the end, a reset from
// there or at once leads back.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, makeSite := range sites() {
		for _, active := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %v", name, active), func(t *testing.T) {
				t.Parallel()
				for at := 0; killed(t, makeSite(t, active), strings.Fields(name)[0], at); at++ {
				}
			})
		}
	}
}

func killed(t *testing.T, s *site, name string, at int) bool {
	t.Helper()
	fsys, images := bundle(t, pause, nginx, "quay.io/coreos/flannel:v0.14.0")
	rt := runtime(t, name)
	steps := append(rt.Steps(cri.Options{Pause: pause}), cri.Images(rt, fsys, images, nil))
	before := s.whole(t)
	calls := 0
	s.m.OnCall = func(string) error {
		if calls++; calls > at {
			return errKilled
		}
		return nil
	}
	err := apply(t, s.h, steps)
	s.m.OnCall = nil
	if err != nil && !errors.Is(err, errKilled) {
		t.Fatalf("killed at %d: %v", at, err)
	}
	if at%2 == 0 || err == nil {
		if err := apply(t, s.h, steps); err != nil {
			t.Fatalf("the run after a kill at %d: %v", at, err)
		}
		for _, st := range steps {
			if got := check(t, s.h, st); got.State != step.Done {
				t.Errorf("killed at %d: %s is %s: %s", at, st.Name(), got.State, text(got))
			}
		}
	}
	reset(t, s.h, steps)
	after := s.whole(t)
	if after != before {
		t.Errorf("killed at %d: after reset\n%s\nwant\n%s", at, after, before)
	}
	if left := s.m.Read(t, "/var/lib/kubecrate/images.json"); left != "" {
		t.Errorf("killed at %d: left to give back: %s", at, left)
	}
	if err == nil && at < 8 {
		t.Errorf("only %d calls", at)
	}
	return err != nil
}

// TestOneStream: what is missing passes once, and a second run reads no layer.
func TestOneStream(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"docker", "containerd"} {
		s := sites()[name](t, true)
		fsys, images := bundle(t, pause, nginx)
		counted := &counting{FS: fsys}
		rt := runtime(t, name)
		steps := append(rt.Steps(cri.Options{Pause: pause}), cri.Images(rt, counted, images, nil))
		if err := apply(t, s.h, steps); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		loads := slices.DeleteFunc(s.m.Calls(), func(line string) bool {
			return !strings.HasSuffix(line, " load") && !strings.HasSuffix(line, " import -")
		})
		if len(loads) != 1 {
			t.Errorf("%s: loaded by %q", name, loads)
		}
		for _, l := range []string{images[0].Layers[0].Digest, images[0].Layers[1].Digest, images[1].Layers[1].Digest} {
			if n := counted.opened[l]; n != 1 {
				t.Errorf("%s: layer %s was read %d times", name, l, n)
			}
		}
		clear(counted.opened)
		if err := apply(t, s.h, steps); err != nil || counted.opened[images[0].Layers[0].Digest] != 0 {
			t.Errorf("%s: the second run: %v, read %v", name, err, counted.opened)
		}
	}
}

// counting counts how often a blob is opened.
type counting struct {
	fs.FS
	opened map[string]int
}

func (c *counting) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.FS, name) }

func (c *counting) Open(name string) (fs.File, error) {
	if c.opened == nil {
		c.opened = map[string]int{}
	}
	c.opened["sha256:"+path.Base(name)]++
	return c.FS.Open(name)
}

// broken gives a member of an archive with its damage at the end.
type broken struct {
	fs.FS
	path string
}

func (b broken) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if err == nil && name == b.path {
		f = brokenFile{f}
	}
	return f, err
}

type brokenFile struct{ fs.File }

func (f brokenFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	if errors.Is(err, io.EOF) {
		err = &archive.DamageError{Path: "images/x", Reason: "on purpose"}
	}
	return n, err
}

// lenient is a runtime's client that takes what it was given for all there is.
type lenient struct{ host.Runner }

func (l lenient) Run(ctx context.Context, c host.Cmd) ([]byte, error) {
	if c.Stdin == nil {
		return l.Runner.Run(ctx, c)
	}
	_, _ = io.Copy(io.Discard, c.Stdin) // whatever it ends with
	return nil, nil
}

// TestStickGone: a stream that broke off is an error, whatever the runtime's
// client made of it.
func TestStickGone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"docker", "containerd"} {
		s := sites()[name](t, true)
		fsys, images := bundle(t, pause, nginx)
		rt := runtime(t, name)
		if err := apply(t, s.h, rt.Steps(cri.Options{Pause: pause})); err != nil {
			t.Fatal(err)
		}
		delete(fsys, "images/blobs/sha256/"+strings.TrimPrefix(images[1].Layers[1].Digest, "sha256:"))
		s.h.Runner = lenient{s.h.Runner}
		err := apply(t, s.h, []step.Step{cri.Images(rt, fsys, images, nil)})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"docker", "containerd"} {
		s := sites()[name](t, true)
		fsys, images := bundle(t, pause, nginx)
		rt := runtime(t, name)
		if err := apply(t, s.h, rt.Steps(cri.Options{Pause: pause})); err != nil {
			t.Fatal(err)
		}
		before := s.state()
		hurt := broken{fsys, "images/blobs/sha256/" + strings.TrimPrefix(images[1].Layers[1].Digest, "sha256:")}
		err := apply(t, s.h, []step.Step{cri.Images(rt, hurt, images, nil)})
		var damage *archive.DamageError
		if !errors.As(err, &damage) || damage.Path != "images/x" {
			t.Errorf("%s: %v", name, err)
		}
		got := s.state()
		for line := range strings.Lines(got) {
			if strings.Contains(line, pause) {
				t.Errorf("%s keeps an image of a damaged stream:\n%s", name, got)
			}
		}
		whole := cri.Images(rt, fsys, images, nil)
		if err := apply(t, s.h, []step.Step{whole}); err != nil {
			t.Errorf("%s, from a whole archive: %v", name, err)
		}
		reset(t, s.h, []step.Step{whole})
		if s.state() != before {
			t.Errorf("%s after reset:\n%s\nwant\n%s", name, s.state(), before)
		}
	}
}
