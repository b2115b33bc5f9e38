//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
	"kubecrate/pkg/report"
	"kubecrate/pkg/step"
)

// redirected runs programs of this machine against a server of the lab: it
// replaces the first words, which name the program and its server.
type redirected struct {
	words int
	argv  func(args ...string) []string
	fed   atomic.Int64 // bytes that a program was given
}

func (r *redirected) Run(ctx context.Context, c host.Cmd) ([]byte, error) {
	c.Argv = r.argv(c.Argv[r.words:]...)
	if c.Stdin != nil {
		c.Stdin = io.TeeReader(c.Stdin, r)
	}
	return host.Exec{}.Run(ctx, c)
}

func (r *redirected) Write(b []byte) (int, error) {
	r.fed.Add(int64(len(b)))
	return len(b), nil
}

// TestLoad: the installer's own way into a real dockerd and a real containerd.
func TestLoad(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage, "k8s.gcr.io/etcd:3.4.3-0", "k8s.gcr.io/pause:3.1"}})
	path := s.mustBuild("--level", "fast")
	t.Run("docker", func(t *testing.T) {
		d, err := s.StartDocker(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := &loading{site: s.on(t), runner: &redirected{words: 3, argv: d.Argv}}
		l.state = func() string {
			return l.lines(d.Run(t.Context(), "image", "ls", "--all", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Digest}}"))
		}
		l.id = func(img manifest.LockedImage) string {
			return l.lines(d.Run(t.Context(), "image", "inspect", "--format", "{{.Id}}", img.Name))
		}
		l.before = func(tar, name string) { l.lines(d.Run(t.Context(), "import", tar, name)) }
		l.test("docker", path)
	})
	t.Run("containerd", func(t *testing.T) {
		c, err := s.StartContainerd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := &loading{site: s.on(t), runner: &redirected{words: 5, argv: c.Argv}}
		l.state = func() string {
			var names []string
			for line := range strings.Lines(l.lines(c.Run(t.Context(), "images", "ls"))) {
				names = append(names, strings.Join(strings.Fields(line)[:3], " "))
			}
			return strings.Join(names, "\n")
		}
		l.test("containerd", path)
	})
}

// loading is a host whose runtime is a server of the lab.
type loading struct {
	*site
	runner *redirected
	host   *host.Host
	state  func() string                         // of the images, but for their order
	id     func(img manifest.LockedImage) string // nil where the state tells enough
	before func(tar, name string)                // makes an image that has a name already, nil for none
}

// lines sorts what a tool says: the order of images follows their time.
func (l *loading) lines(out string, err error) string {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
	list := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(list)
	return strings.Join(list, "\n")
}

func (l *loading) test(name, path string) {
	l.host = &host.Host{Root: l.t.TempDir(), Runner: l.runner}
	if l.before != nil {
		if err := os.MkdirAll(filepath.Join(l.dir, "empty"), 0o755); err != nil {
			l.t.Fatal(err)
		}
		l.write("empty/file", "x")
		tar := filepath.Join(l.dir, "own.tar")
		l.tool("tar", "-C", filepath.Join(l.dir, "empty"), "-cf", tar, ".")
		l.before(tar, smallImage)
	}
	before := l.state()
	damaged := l.damaged(path)
	err := l.load(name, damaged)
	var damage *archive.DamageError
	if !errors.As(err, &damage) {
		l.t.Errorf("from a damaged archive: %v", err)
	}
	l.t.Logf("from a damaged archive: %v", err)
	if got := l.state(); got != before {
		l.t.Errorf("a damaged archive left\n%s\nbefore\n%s", got, before)
	}
	l.runner.fed.Store(0)
	if err := l.load(name, path); err != nil {
		l.t.Fatal(err)
	}
	first := l.runner.fed.Swap(0)
	l.opened(path, func(r *archive.Reader, lock *manifest.Lock) {
		for _, img := range lock.Images {
			if l.id != nil && l.id(img) != img.Config.Digest {
				l.t.Errorf("the ID of %s is %s, want %s", img.Name, l.id(img), img.Config.Digest)
			}
		}
	})
	loaded := l.state()
	if err := l.load(name, path); err != nil || l.runner.fed.Load() != 0 {
		l.t.Errorf("the second run: %v, %d bytes loaded after %d by the first", err, l.runner.fed.Load(), first)
	}
	if err := step.Reset(l.t.Context(), l.host, l.journal(), cri.All().Kinds(nil), func(step.Event) {}); err != nil {
		l.t.Error(err)
	}
	if got := l.state(); got != before {
		l.t.Errorf("after reset\n%s\nbefore\n%s\nloaded\n%s", got, before, loaded)
	}
}

// damaged is a copy of the archive with one bit of a layer turned.
func (l *loading) damaged(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	data[len(data)*6/10] ^= 1
	copied := filepath.Join(l.dir, "damaged.tar.zst")
	if err := os.WriteFile(copied, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
	return copied
}

func (l *loading) opened(path string, use func(*archive.Reader, *manifest.Lock)) {
	l.t.Helper()
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		l.t.Fatal(err)
	}
	defer closer.Close()
	lock, err := report.Lock(r)
	if err != nil {
		l.t.Fatal(err)
	}
	use(r, lock)
}

func (l *loading) journal() *step.Journal {
	j, err := step.OpenJournal(l.host)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { j.Close() })
	return j
}

func (l *loading) step(name string, r *archive.Reader, lock *manifest.Lock) step.Step {
	rt, err := cri.All().For(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return cri.Images(rt, r, lock.Images, nil)
}

// load does the step from an archive.
func (l *loading) load(name, path string) (err error) {
	l.opened(path, func(r *archive.Reader, lock *manifest.Lock) {
		err = step.Run(l.t.Context(), l.host, l.journal(), cri.All().Kinds(nil), []step.Step{l.step(name, r, lock)}, func(step.Event) {})
	})
	return err
}
