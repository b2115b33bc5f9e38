package distro_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// rooted runs the real rpm and dnf on a host below a directory.
type rooted struct {
	root  string
	calls *[]string
}

func (r rooted) Run(ctx context.Context, c host.Cmd) ([]byte, error) {
	*r.calls = append(*r.calls, host.CommandLine(c.Argv))
	switch c.Argv[0] {
	case "rpm":
		c.Argv = append([]string{"rpm", "--root", r.root}, c.Argv[1:]...)
	case "yum":
		c.Argv = append([]string{
			"dnf", "--installroot=" + r.root, "--releasever=7", "--setopt=cachedir=" + r.root + "/var/lib/kubecrate/yum-cache",
			"--setopt=kubecrate.baseurl=file://" + r.root + "/var/lib/kubecrate/repo",
		}, c.Argv[1:]...)
		for i, a := range c.Argv { // dnf looks for it outside
			c.Argv[i] = strings.Replace(a, "--config=", "--config="+r.root, 1)
		}
	}
	return host.Exec{}.Run(ctx, c)
}

// needLab skips, or in the lab fails, where the real programs are missing.
func needLab(t *testing.T) {
	t.Helper()
	why := ""
	for _, tool := range []string{"rpm", "dnf"} {
		if _, err := exec.LookPath(tool); err != nil {
			why = tool + " is missing"
		}
	}
	if os.Geteuid() != 0 {
		why = "rpm --root needs root"
	}
	switch {
	case why != "" && os.Getenv("KUBECRATE_LAB") == "1":
		t.Fatal(why)
	case why != "" || testing.Short():
		t.Skip(why)
	}
}

type memory struct {
	bytes.Buffer
	name string
}

func (*memory) Close() error { return nil }

// realBundle is a bundle of real RPMs, with real metadata.
func realBundle(t *testing.T, specs ...rpmtest.Spec) software.Bundle {
	t.Helper()
	var entries []archive.Entry
	var pkgs []repodata.Package
	var lock []manifest.LockedPackage
	for _, s := range specs {
		data, err := rpmtest.Build(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := rpm.Check(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		e := member("rpms/"+s.NEVRA().FileName(), data, manifest.KindRPM)
		entries = append(entries, e)
		pkgs = append(pkgs, repodata.Package{
			Metadata: *v.Metadata, Location: s.NEVRA().FileName(), Size: e.Size, Checksum: repodata.Checksum{Type: "sha256", Value: e.SHA256},
			FileTime: v.Metadata.BuildTime, HeaderStart: v.Header.Start, HeaderEnd: v.Header.End,
		})
		lock = append(lock, manifest.LockedPackage{NEVRA: s.NEVRA(), Why: []manifest.LockedReason{{Root: s.Name + "-" + s.Version}}})
	}
	var files []*memory
	create := func(name string) (io.WriteCloser, error) {
		files = append(files, &memory{name: name})
		return files[len(files)-1], nil
	}
	if err := repodata.Write(create, pkgs, repodata.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		entries = append(entries, member("rpms/"+f.name, f.Bytes(), manifest.KindRepodata))
	}
	var out bytes.Buffer
	if _, err := archive.Create(t.Context(), &out, archive.CreateOptions{Name: "real", Level: archive.Fast}, entries); err != nil {
		t.Fatal(err)
	}
	return open(t, out.Bytes(), lock)
}

// lab is a host below a directory, with the real programs.
type lab struct {
	h     *host.Host
	d     distro.Distro
	calls []string
	said  []string
}

// newLab makes the host and installs packages that do not come with the bundle.
func newLab(t *testing.T, have ...rpmtest.Spec) *lab {
	t.Helper()
	l := &lab{}
	d, err := distro.For("el7")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	l.d, l.h = d, &host.Host{Root: root, Runner: rooted{root, &l.calls}}
	for _, dir := range []string{"etc/yum.repos.d", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range have {
		l.put(t, s, "-i")
	}
	return l
}

// put installs a package past the step.
func (l *lab) put(t *testing.T, s rpmtest.Spec, how ...string) {
	t.Helper()
	data, err := rpmtest.Build(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), s.NEVRA().FileName())
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.h.Query(t.Context(), append(append([]string{"rpm"}, how...), file)...); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) steps(b software.Bundle) []step.Step {
	return []step.Step{distro.Packages(l.d, b, l.report)}
}

func (l *lab) report(e progress.Event) {
	if e.Kind == progress.Warn {
		l.said = append(l.said, e.Text)
	}
}

func (l *lab) run(t *testing.T, b software.Bundle) error {
	t.Helper()
	j, err := step.OpenJournal(l.h)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return step.Run(t.Context(), l.h, j, distro.Kinds(l.report), l.steps(b), func(step.Event) {})
}

func (l *lab) reset(t *testing.T) {
	t.Helper()
	j, err := step.OpenJournal(l.h)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := step.Reset(t.Context(), l.h, j, distro.Kinds(l.report), func(step.Event) {}); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) installed(t *testing.T, want ...string) {
	t.Helper()
	out, err := l.h.Query(t.Context(), "rpm", "-qa", "--qf", `%{NAME}-%{VERSION} `)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("installed are %v, want %v", got, want)
	}
}

func spec(name, version, requires string, files ...string) rpmtest.Spec {
	s := rpmtest.Spec{Name: name, Version: version, Files: map[string][]byte{"/usr/share/" + name + "/" + version: []byte(version)}}
	if requires != "" {
		s.Requires = []nevra.Relation{{Name: requires}}
	}
	for _, f := range files {
		s.Files[f] = []byte(name)
	}
	return s
}

// TestRealInstall goes the whole way with the real rpm and dnf: install, an
// upgrade, a cut in the middle, and undo beside a package that needs ours.
func TestRealInstall(t *testing.T) {
	t.Parallel()
	needLab(t)
	policy := spec("policy", "2", "")
	policy.Epoch = "2"
	old := spec("policy", "1", "")
	old.Epoch = "2"
	b := realBundle(t, spec("engine", "18.06", "policy", "/usr/bin/engine"), spec("agent", "1.17", "tool"), spec("tool", "3", ""), policy)
	l := newLab(t, old, spec("other", "1", ""))
	if err := l.run(t, b); err != nil {
		t.Fatal(err)
	}
	l.installed(t, "other-1", "policy-2", "engine-18.06", "agent-1.17", "tool-3")
	calls := len(l.calls)
	if err := l.run(t, b); err != nil || len(l.calls) != calls+1 {
		t.Errorf("the second run: %v, %v", err, l.calls[calls:])
	}

	// The machine died: an old build beside the new one, one package missing, no end in the log.
	l.put(t, old, "-i", "--force", "--justdb")
	if _, err := l.h.Query(t.Context(), "rpm", "-e", "agent"); err != nil {
		t.Fatal(err)
	}
	record := l.h.Path("/var/lib/kubecrate/packages.json")
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("{"), []byte(`{"running": ["agent-1.17-1.noarch", "engine-18.06-1.noarch", "policy-2:2-1.noarch"],`), 1)
	for path, content := range map[string][]byte{record: text, l.h.Path("/var/lib/kubecrate/yum.log"): []byte("Running transaction\n")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(l.h.Path("/usr/bin/engine")); err != nil {
		t.Fatal(err)
	}
	if err := l.run(t, b); err != nil {
		t.Fatal(err)
	}
	l.installed(t, "other-1", "policy-2", "engine-18.06", "agent-1.17", "tool-3")
	if _, err := os.Stat(l.h.Path("/usr/bin/engine")); err != nil {
		t.Errorf("it was not installed again: %v\n%s", err, strings.Join(l.calls, "\n"))
	}

	l.put(t, spec("later", "1", "/usr/bin/engine"), "-i")
	l.reset(t)
	l.installed(t, "other-1", "policy-2", "engine-18.06", "later-1")
	slices.Sort(l.said)
	if len(l.said) != 2 || l.said[0] != "engine-18.06-1.noarch stays: later-1-1.noarch needs it" || !strings.Contains(l.said[1], "the previous build policy-2:1-1.noarch") {
		t.Errorf("it said\n%s", strings.Join(l.said, "\n"))
	}
	for _, pattern := range []string{"/etc/yum.repos.d/*", "/var/cache/dnf/kubecrate*", "/var/lib/kubecrate/[^jo]*"} {
		if left, err := filepath.Glob(l.h.Path(pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

// TestRealRefusals: what the real programs refuse, and what becomes of it.
func TestRealRefusals(t *testing.T) {
	t.Parallel()
	needLab(t)
	conflicting := spec("engine", "2", "")
	conflicting.Conflicts = []nevra.Relation{{Name: "docker-io"}}
	conflict := spec("lxc", "1", "")
	conflict.Provides = []nevra.Relation{{Name: "docker-io"}}
	for _, c := range []struct {
		name       string
		have, want rpmtest.Spec
		says, hint string
	}{
		{"lacking", spec("other", "1", ""), spec("agent", "1", "conntrack"), "agent-1-1.noarch needs conntrack, which neither this host nor the bundle has", "bundle lock --baseline"},
		{"a file of another", spec("common", "1", "", "/usr/bin/engine"), spec("engine", "2", "", "/usr/bin/engine", "/usr/bin/other"), "engine-2-1.noarch contains the file /usr/bin/engine, which belongs to common-1-1.noarch", "remove common-1-1.noarch"},
		{"a conflict", conflict, conflicting, "engine-2-1.noarch conflicts with the installed lxc-1-1.noarch, which provides docker-io", "remove lxc removes"},
		{"a newer one", spec("engine", "3", ""), spec("engine", "2", ""), "engine-3-1.noarch is installed, but the bundle requires 2-1", "remove engine removes"},
	} {
		l := newLab(t, c.have)
		err := l.run(t, realBundle(t, c.want))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v (hint %q)", c.name, err, hint.Of(err))
		}
		l.installed(t, c.have.Name+"-"+c.have.Version)
		l.reset(t)
		l.installed(t, c.have.Name+"-"+c.have.Version)
	}
}

const childRoot = "KUBECRATE_DISTRO_ROOT"

func killBundle(t *testing.T) software.Bundle {
	t.Helper()
	big := spec("engine", "18.06", "policy", "/usr/bin/engine")
	big.Payload = 8 << 20
	return realBundle(t, big, spec("agent", "1.17", "tool"), spec("tool", "3", ""), spec("policy", "2", ""))
}

// TestChild is the installer that TestRealKill kills.
func TestChild(t *testing.T) {
	t.Parallel()
	root := os.Getenv(childRoot)
	if root == "" {
		t.Skip("a helper of TestRealKill")
	}
	d, err := distro.For("el7")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{d: d}
	l.h = &host.Host{Root: root, Runner: rooted{root, &l.calls}}
	if err := l.run(t, killBundle(t)); err != nil {
		t.Fatal(err)
	}
}

// TestRealKill kills the installer with SIGKILL while dnf is running. dnf continues,
// the same run again waits for it, and the result is the same.
func TestRealKill(t *testing.T) {
	t.Parallel()
	needLab(t)
	for _, sign := range []string{"Dependencies resolved", "Running transaction\n"} {
		l := newLab(t, spec("policy", "1", ""))
		if err := os.Symlink("/proc", l.h.Path("/proc")); err != nil {
			t.Fatal(err)
		}
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childRoot+"="+l.h.Root)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
			log, err := l.h.Text("/var/lib/kubecrate/yum.log")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(log, sign) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("no %q in %q", sign, log)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil {
			t.Log("it ended before it was killed")
		}
		if err := l.run(t, killBundle(t)); err != nil {
			t.Fatal(err)
		}
		l.installed(t, "engine-18.06", "agent-1.17", "tool-3", "policy-2")
		t.Logf("killed at %q; the next run: %d calls of dnf", sign, strings.Count(strings.Join(l.calls, "\n"), "yum -y"))
		l.reset(t)
		l.installed(t, "policy-2")
	}
}
