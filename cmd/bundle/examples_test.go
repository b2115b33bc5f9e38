package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kubecrate/pkg/demo"
)

// bench is where the examples are tried: a mirror, and what a directory of an
// operator and a stick hold, made by the commands themselves.
type bench struct {
	mirror    *demo.Mirror
	installer string
	home      string // of the cache, shared
	files     string // the operator's directory, copied for each example
}

const (
	exampleName = "kubernetes-1.17.4-el7"
	exampleYAML = `apiVersion: kubecrate/v1
kind: Cluster
name: kubernetes
hosts:
  - {name: master1, address: 192.168.4.11, role: master}
  - {name: node1, address: 192.168.4.21, role: node}
`
)

// newBench builds and signs an archive, whole and in volumes.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{installer: buildInstaller(t), home: t.TempDir(), files: t.TempDir()}
	var err error
	if b.mirror, err = demo.Serve(context.Background(), b.files); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.mirror.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(b.mirror.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "demo-1.17.4-el7", exampleName, 1))
	list, err := os.ReadFile("../../manifest/baseline/centos-7-minimal.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		exampleName + ".yaml": text, "bundle.yaml": text, "my.yaml": text, "cluster.yaml": []byte(exampleYAML), "secret.txt": []byte("correct horse battery staple\n"),
		"usb/hosts/node1-a1b2c3.json": list, "usb/hosts/master1-0c1d2e.json": list,
	} {
		b.write(t, name, text)
	}
	for _, line := range []string{
		"lock bundle.yaml", "lock my.yaml", "lock " + exampleName + ".yaml",
		"keygen --no-passphrase",
		"build -o usb --sign kubecrate.key",
		"build -o volumes --sign kubecrate.key --volume-size 2M",
	} {
		b.run(t, b.files, strings.Fields(line))
	}
	for _, name := range []string{"old", "new"} {
		b.link(t, exampleName+".lock", name+".lock")
		b.link(t, "usb/"+exampleName+"-amd64.tar.zst", name+".tar.zst")
	}
	b.link(t, "usb/"+exampleName+"-amd64.tar.zst", exampleName+"-amd64.tar.zst")
	return b
}

func (b *bench) write(t *testing.T, name string, text []byte) {
	t.Helper()
	path := filepath.Join(b.files, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(filepath.Join(b.files, from), filepath.Join(b.files, to)); err != nil {
		t.Fatal(err)
	}
}

// run runs bundle in dir, adding what a terminal, or an installation of bundle,
// would add.
func (b *bench) run(t *testing.T, dir string, args []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	switch name := args[0]; {
	case name == "build" || name == "demo":
		args = append(args, "--installer", b.installer)
	case (name == "keygen" || name == "identity") && !slices.Contains(args, "--no-passphrase") && !slices.Contains(args, "--passphrase-file"):
		args = append(args, "--passphrase-file", "secret.txt")
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "bundle" // by which the test's main tells that it is that program
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.home, "HOME="+b.home)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("bundle %q: %v\n%s", args, err, text)
	} else if i := slices.Index(args, "--html"); i >= 0 {
		if _, err := os.Stat(filepath.Join(dir, args[i+1])); err != nil {
			t.Error(err)
		}
	} else if len(text) == 0 {
		t.Errorf("bundle %q says nothing", args)
	}
}

// desk is a directory of its own with the files, which are not written to but
// replaced; an example that makes such files finds none.
func (b *bench) desk(t *testing.T, args []string) string {
	t.Helper()
	dir := t.TempDir()
	volumes := slices.ContainsFunc(args, func(s string) bool { return strings.HasSuffix(s, ".001") })
	err := filepath.WalkDir(b.files, func(path string, e fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(b.files, path)
		if err := errors.Join(err, relErr); err != nil {
			return err
		}
		top, rest, _ := strings.Cut(name, "/")
		switch {
		case (args[0] == "keygen" || args[0] == "init") && !slices.Contains([]string{".", "secret.txt"}, name):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case top == "volumes" && volumes:
			name = filepath.Join("usb", rest)
		case top == "volumes" || top == "usb" && volumes:
			return nil
		case top == "usb" && (args[0] == "build" || args[0] == "identity") && !strings.HasPrefix(rest, "hosts") && !e.IsDir():
			return nil // the stick is new
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o700)
		}
		return os.Link(path, filepath.Join(dir, name))
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// words splits an example as a shell would; what is behind # and > belongs to the
// shell.
func words(t *testing.T, line string) []string {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " >")
	list := strings.Fields(line)
	if len(list) == 0 || list[0] != "bundle" || strings.ContainsAny(line, `'"\$&;|`) {
		t.Fatal("it is not a plain command of bundle")
	}
	return list[1:]
}

// TestExamples runs every example of the help, on the demo's mirror.
func TestExamples(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds bundles")
	}
	var list []string
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(newApp(&strings.Builder{}, &strings.Builder{}).root())
	if len(list) < 25 {
		t.Fatalf("only %d examples", len(list))
	}
	b := newBench(t)
	if t.Failed() {
		t.FailNow()
	}
	for _, line := range list {
		t.Run(line, func(t *testing.T) {
			args := words(t, line)
			dir := b.desk(t, args)
			for i, a := range args {
				a = strings.ReplaceAll(a, "registry.example", b.mirror.Address)
				for _, place := range []string{"/mnt/usb", "/usr/local/share", "/tmp", "~"} {
					if rest, ok := strings.CutPrefix(a, place); ok {
						a = filepath.Join(dir, map[string]string{"/mnt/usb": "usb"}[place], rest)
						break
					}
				}
				args[i] = a
			}
			b.run(t, dir, args)
		})
	}
}
