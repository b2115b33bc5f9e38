package distro_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

const (
	dockerCE  = "docker-ce-18.06.3.ce-3.el7.x86_64"
	kubelet   = "kubelet-1.17.4-0.x86_64"
	selinux   = "container-selinux-2:2.119.2-1.911c772.el7_8.noarch"
	ipset     = "ipset-7.1-1.el7.x86_64"
	selinux95 = "container-selinux-2:2.95-2.el7_6.noarch"
	kernel    = "kernel-3.10.0-1160.el7.x86_64"
)

// packed is a package of the test's bundle.
type packed struct {
	id, root  string
	conflicts string
	obsoletes string
	files     string
}

func wanted() []packed {
	return []packed{
		{id: dockerCE, root: "docker-ce-18.06.3.ce-3.el7", conflicts: `<rpm:entry name="docker"/><rpm:entry name="docker-io"/>`,
			obsoletes: `<rpm:entry name="docker-engine" flags="LT" epoch="0" ver="18.0"/>`, files: "<file>/usr/bin/docker</file><file type=\"dir\">/usr/bin</file>"},
		{id: kubelet, root: "kubelet-1.17.4-0", files: "<file>/usr/bin/kubelet</file>"},
		{id: selinux},
		{id: ipset, root: "ipset"},
	}
}

func primary(tb testing.TB, list []packed) []byte {
	tb.Helper()
	var text strings.Builder
	text.WriteString(xml.Header + `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">`)
	for _, p := range list {
		n := parse(tb, p.id)
		fmt.Fprintf(&text, `<package type="rpm"><name>%s</name><arch>%s</arch><version epoch=%q ver=%q rel=%q/><format>`+
			`<rpm:conflicts>%s</rpm:conflicts><rpm:obsoletes>%s</rpm:obsoletes>%s</format></package>`,
			n.Name, n.Arch, "0"+n.Epoch, n.Version, n.Release, p.conflicts, p.obsoletes, p.files)
	}
	text.WriteString("</metadata>")
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write([]byte(text.String()))
	if err := errors.Join(err, z.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func parse(tb testing.TB, s string) nevra.NEVRA {
	tb.Helper()
	n, err := nevra.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func member(path string, content []byte, kind manifest.Kind) archive.Entry {
	sum := sha256.Sum256(content)
	return archive.Entry{
		Artifact: manifest.Artifact{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Kind: kind},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// bundled makes an archive of packages.
func bundled(tb testing.TB, list []packed) ([]byte, []manifest.LockedPackage) {
	tb.Helper()
	entries := []archive.Entry{
		member("bundle.yaml", []byte("kind: Bundle\n"), manifest.KindMeta),
		member("rpms/evil.sh", []byte("no package"), manifest.KindFile),
		member("rpms/repodata/repomd.xml", []byte("<repomd/>"), manifest.KindRepodata),
		member("rpms/repodata/abc-primary.xml.gz", primary(tb, list), manifest.KindRepodata),
	}
	var lock []manifest.LockedPackage
	for _, p := range list {
		n := parse(tb, p.id)
		content := bytes.Repeat([]byte(p.id+"\n"), 4000)
		entries = append(entries, member("rpms/"+n.FileName(), content, manifest.KindRPM))
		why := manifest.LockedReason{Root: p.root}
		if p.root == "" {
			why = manifest.LockedReason{By: dockerCE, Requires: n.Name}
		}
		lock = append(lock, manifest.LockedPackage{NEVRA: n, Why: []manifest.LockedReason{why}})
	}
	var out bytes.Buffer
	o := archive.CreateOptions{Name: "test", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast}
	if _, err := archive.Create(tb.Context(), &out, o, entries); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), lock
}

func open(tb testing.TB, data []byte, lock []manifest.LockedPackage) software.Bundle {
	tb.Helper()
	r, err := archive.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	return software.Bundle{Archive: r, Packages: lock}
}

// world is a host, its packages, and the step.
type world struct {
	h     *host.Host
	m     *hosttest.Machine
	rpm   *hosttest.RPM
	steps []step.Step
	said  []string // warnings and notes
	onSay func(progress.Event)
}

func newWorld(tb testing.TB, have ...string) *world {
	tb.Helper()
	w := &world{}
	w.h, w.m = hosttest.New(tb)
	w.rpm = w.m.RPM(tb, have...)
	w.rpm.Needs["docker-ce"] = []string{"container-selinux"}
	data, lock := bundled(tb, wanted())
	w.use(tb, open(tb, data, lock))
	return w
}

func (w *world) use(tb testing.TB, b software.Bundle) {
	tb.Helper()
	d, err := distro.For("el7")
	if err != nil {
		tb.Fatal(err)
	}
	w.steps = []step.Step{distro.Packages(d, b, w.report)}
}

func (w *world) report(e progress.Event) {
	if e.Kind == progress.Warn || e.Kind == progress.Note {
		w.said = append(w.said, e.Text)
	}
	if w.onSay != nil {
		w.onSay(e)
	}
}

func (w *world) journal(tb testing.TB) *step.Journal {
	tb.Helper()
	j, err := step.OpenJournal(w.h)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { j.Close() })
	return j
}

func (w *world) apply(tb testing.TB) error {
	tb.Helper()
	return step.Run(tb.Context(), w.h, w.journal(tb), distro.Kinds(w.report), w.steps, func(step.Event) {})
}

func (w *world) check(tb testing.TB) step.Status {
	tb.Helper()
	plan, err := step.Plan(tb.Context(), w.h, w.steps)
	if err != nil || len(plan) != 1 {
		tb.Fatalf("plan: %v, %v", plan, err)
	}
	return plan[0].Status
}

func (w *world) reset(tb testing.TB) error {
	tb.Helper()
	return step.Reset(tb.Context(), w.h, w.journal(tb), distro.Kinds(w.report), func(step.Event) {})
}

func (w *world) installed(tb testing.TB, want ...string) {
	tb.Helper()
	slices.Sort(want)
	if got := w.rpm.Installed(); !slices.Equal(got, want) {
		tb.Errorf("installed are %v, want %v", got, want)
	}
}

func (w *world) ran(part string) int {
	n := 0
	for _, c := range w.m.Calls() {
		if strings.Contains(c, part) {
			n++
		}
	}
	return n
}

const repoFile = "/etc/yum.repos.d/kubecrate.repo"

func TestInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel, selinux95)
	before := w.m.State(t)
	st := w.check(t)
	for _, want := range []string{"install " + dockerCE, "install " + kubelet, "install " + ipset, "install " + selinux + " in place of 2:2.95-2.el7_6"} {
		if !slices.Contains(st.What, want) {
			t.Errorf("the plan says %q, not %q", st.What, want)
		}
	}
	if st.State != step.ToDo || len(st.Diffs) != 1 || w.m.State(t) != before {
		t.Errorf("plan: %+v", st)
	}
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	w.installed(t, kernel, dockerCE, kubelet, selinux, ipset)
	const line = "yum -y --config=/var/lib/kubecrate/yum.conf --noplugins --disableexcludes=all '--disablerepo=*' --enablerepo=kubecrate "
	all := strings.Join([]string{dockerCE, kubelet, selinux, ipset}, " ")
	if w.ran(line+"--setopt=tsflags=test install "+all) != 1 || w.ran(line+"install "+all) != 1 || w.ran("yum ") != 2 {
		t.Errorf("it ran\n%s", strings.Join(w.m.Calls(), "\n"))
	}
	repo := w.m.Read(t, repoFile)
	if !strings.Contains(repo, "\nenabled=0\n") || !strings.Contains(repo, "\nbaseurl=file:///var/lib/kubecrate/repo\n") {
		t.Errorf("the repository is\n%s", repo)
	}
	if names, err := w.h.ReadDir("/var/lib/kubecrate/repo"); err != nil || len(names) != 5 || slices.Contains(names, "evil.sh") {
		t.Errorf("unpacked: %v, %v", names, err)
	}
	after := w.m.State(t)
	if err := w.apply(t); err != nil || w.m.State(t) != after || w.ran("yum ") != 2 || w.check(t).State != step.Done {
		t.Errorf("the second run: %v, or it changed something", err)
	}
	w.m.Write(t, "/var/cache/yum/x86_64/7/kubecrate/cachecookie", "", "/var/cache/dnf/kubecrate.solv", "", "/var/cache/dnf/kubecrate-0/repodata/repomd.xml", "")
	if err := w.reset(t); err != nil {
		t.Fatal(err)
	}
	w.installed(t, kernel, selinux) // what was upgraded stays
	if len(w.said) != 1 || !strings.Contains(w.said[0], "the previous build "+selinux95) {
		t.Errorf("it said %q", w.said)
	}
	w.rpm.Set(t, kernel, selinux95)
	if got := w.m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant:\n%s", got, before)
	}
	if names, err := w.h.ReadDir("/var/lib/kubecrate"); err != nil || !slices.Equal(names, []string{"journal.jsonl", "originals"}) {
		t.Errorf("left: %v, %v", names, err)
	}
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("the second reset: %v", err)
	}
}

// TestResetAlone: a reset needs no archive, and does nothing where nothing was
// done.
func TestResetAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	before := w.m.State(t)
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("nothing to undo: %v", err)
	}
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	w.use(t, software.Bundle{})
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("without an archive: %v\n%s", err, w.m.State(t))
	}
}

var errKilled = errors.New("killed")

// TestKilled ends the run before every call in turn; the same run then goes on,
// and a reset leads back.
func TestKilled(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		w := newWorld(t, kernel)
		before := w.m.State(t)
		calls := 0
		w.m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		err := w.apply(t)
		w.m.OnCall = nil
		if err == nil {
			if at < 6 {
				t.Errorf("only %d calls", at)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		if at%2 == 0 {
			if err := w.apply(t); err != nil {
				t.Fatalf("the run after a kill at %d: %v", at, err)
			}
			w.installed(t, kernel, dockerCE, kubelet, selinux, ipset)
		}
		if err := w.reset(t); err != nil || w.m.State(t) != before {
			t.Fatalf("the reset after a kill at %d: %v\n%s", at, err, w.m.State(t))
		}
	}
}

// TestCutOff: a power cut in the middle of a transaction leaves packages whose
// scripts did not run, and older builds beside the new ones.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		log  string // what yum wrote in the end
		left []string
		want []string // commands of the next run, but for queries
	}{
		{"power cut", "Running transaction\n  Installing : kubelet", []string{kernel, selinux95, selinux, kubelet}, []string{
			"rpm -e --test container-selinux-2.95-2.el7_6.noarch", "rpm -e container-selinux-2.95-2.el7_6.noarch",
			"yum test install docker ipset", "yum install docker ipset", "yum reinstall kubelet selinux",
		}},
		{"power cut, all there", "", []string{kernel, selinux, kubelet, dockerCE, ipset}, []string{
			"yum test reinstall selinux docker ipset kubelet", "yum reinstall selinux docker ipset kubelet",
		}},
		{"only the installer was killed", "Running transaction\nInstalled:\nComplete!\n", []string{kernel, selinux, kubelet, dockerCE, ipset}, nil},
	} {
		w := newWorld(t, kernel, selinux95)
		yum := w.m.Programs["yum"]
		w.m.Programs["yum"] = func(args []string, in string) (string, error) {
			if slices.Contains(args, "--setopt=tsflags=test") {
				return yum(args, in)
			}
			w.rpm.Set(t, c.left...)
			w.m.Write(t, "/var/lib/kubecrate/yum.log", c.log)
			return "", errKilled
		}
		if err := w.apply(t); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		w.m.Programs["yum"] = yum
		wantState := step.ToDo
		if len(c.want) == 0 {
			wantState = step.Done
		}
		if st := w.check(t); st.State != wantState {
			t.Errorf("%s: %+v", c.name, st)
		}
		done := len(w.m.Calls())
		if err := w.apply(t); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		short := strings.NewReplacer("yum -y --config=/var/lib/kubecrate/yum.conf --noplugins --disableexcludes=all '--disablerepo=*' --enablerepo=kubecrate", "yum", "--setopt=tsflags=test", "test",
			dockerCE, "docker", kubelet, "kubelet", selinux, "selinux", ipset, "ipset")
		for _, line := range w.m.Calls()[done:] {
			if !strings.HasPrefix(line, "rpm -q") {
				got = append(got, short.Replace(line))
			}
		}
		for i := range got {
			got[i] = inOrder(got[i])
		}
		for i := range c.want {
			c.want[i] = inOrder(c.want[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it ran\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		w.installed(t, kernel, dockerCE, kubelet, selinux, ipset)
		if st := w.check(t); st.State != step.Done {
			t.Errorf("%s: then it is %+v", c.name, st)
		}
		if err := w.reset(t); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		w.installed(t, kernel, selinux)
	}
}

// inOrder sorts what a line of yum names.
func inOrder(line string) string {
	words := strings.Fields(line)
	if words[0] == "yum" {
		slices.Sort(words[1+slices.IndexFunc(words, func(w string) bool { return strings.HasSuffix(w, "install") }):])
	}
	return strings.Join(words, " ")
}

func TestStates(t *testing.T) {
	t.Parallel()
	full := []string{kernel, dockerCE, kubelet, selinux, ipset}
	for _, c := range []struct {
		name  string
		have  []string
		setup func(*testing.T, *world)
		state step.State
		says  string // part of What or Warnings
		hint  string
	}{
		{"all there", full, nil, step.Done, "", ""},
		{"newer where no version is asked for", []string{dockerCE, kubelet, "container-selinux-2:2.300-1.el7.noarch", "ipset-7.6-1.el7.x86_64"}, nil, step.Done, "", ""},
		{"older kubelet", []string{dockerCE, "kubelet-1.16.9-0.x86_64", selinux, ipset}, nil, step.ToDo, "install " + kubelet + " in place of 1.16.9-0", ""},
		{"newer kubelet", []string{dockerCE, "kubelet-1.18.2-0.x86_64", selinux, ipset}, nil, step.Impossible,
			"kubelet-1.18.2-0.x86_64 is installed, but the bundle requires 1.17.4-0", "yum --disablerepo='*' remove kubelet removes"},
		{"another architecture", []string{dockerCE, kubelet, selinux, "ipset-7.1-1.el7.i686"}, nil, step.ToDo, "install " + ipset, ""},
		{"docker of CentOS", []string{"docker-2:1.13.1-203.el7.x86_64", "docker-common-2:1.13.1-203.el7.x86_64", "docker-client-2:1.13.1-203.el7.x86_64"}, nil, step.Impossible,
			dockerCE + " conflicts with the installed docker-2:1.13.1-203.el7.x86_64", "yum --disablerepo='*' remove docker docker-client docker-common removes"},
		{"an old docker-engine", []string{"docker-engine-17.05.0.ce-1.el7.x86_64"}, nil, step.Impossible, "obsoletes the installed docker-engine-17.05.0.ce-1.el7.x86_64", "remove docker-engine "},
		{"a docker-engine that is not obsolete", []string{"docker-engine-19.0-1.el7.x86_64"}, nil, step.Impossible, "is incompatible with the installed", "remove docker-engine "},
		{"a provider of docker-io", []string{"lxc-docker-1.9-1.el7.x86_64"}, func(_ *testing.T, w *world) {
			w.rpm.Provides["lxc-docker"] = []string{"docker-io"}
		}, step.Impossible, "provides docker-io", "remove lxc-docker "},
		{"later docker", []string{"docker-ce-3:20.10.7-3.el7.x86_64", "docker-ce-cli-1:20.10.7-3.el7.x86_64"}, nil, step.Impossible, "the bundle requires 18.06.3.ce-3.el7", "remove docker-ce "},
		{"programs of no package", []string{kernel}, func(t *testing.T, w *world) {
			w.m.Write(t, "/usr/bin/docker", "static", "/usr/bin/kubelet", "static", "/usr/bin/rpm", "")
			w.rpm.Files["/usr/bin/kubelet"] = "kernel"
		}, step.ToDo, "1 programs that belong to no package will be overwritten permanently: /usr/bin/docker", ""},
		{"a double of somebody else", append(slices.Clone(full), selinux95), nil, step.Done, "rpm -e container-selinux-2.95-2.el7_6.noarch", ""},
		{"yum at work", full, func(t *testing.T, w *world) {
			w.m.Write(t, "/var/run/yum.pid", "2047\n")
			w.m.Process(t, 2047, 0, python, "/usr/bin/python", "/usr/bin/yum", "update")
		}, step.ToDo, "wait for process 2047: /usr/bin/python /usr/bin/yum update", ""},
		{"a yum of ours that went on", full, func(t *testing.T, w *world) {
			w.m.Process(t, 311, 0, python, "/usr/bin/python", "/usr/bin/yum", "-y", "--enablerepo=kubecrate", "install", "x")
		}, step.ToDo, "wait for process 311", ""},
		{"a yum with a name that a terminal would obey", full, func(t *testing.T, w *world) {
			w.m.Process(t, 311, 0, python, "/usr/bin/python", "/usr/bin/yum", "--enablerepo=kubecrate", "\x1b[31m\n ok")
		}, step.ToDo, `--enablerepo=kubecrate \x1b[31m\n ok`, ""},
		{"a process that has the words of ours", full, func(t *testing.T, w *world) {
			w.m.Process(t, 311, 0, python, "python", "-c", "pass", "/usr/bin/yum", "--enablerepo=kubecrate", "install")
			w.m.Process(t, 312, 0, "/usr/bin/sleep", "/usr/bin/yum", "--enablerepo=kubecrate", "install")
		}, step.Done, "", ""},
		{"the yum of another user", full, func(t *testing.T, w *world) {
			w.m.Write(t, "/var/run/yum.pid", "312\n")
			w.m.Process(t, 311, 1000, python, "/usr/bin/python", "/usr/bin/yum", "--enablerepo=kubecrate", "install")
			w.m.Process(t, 312, 1000, python, "/usr/bin/python", "/usr/bin/yum", "install")
		}, step.Done, "", ""},
		{"a lock of nobody", full, func(t *testing.T, w *world) {
			w.m.Write(t, "/var/run/yum.pid", "2047\n")
			w.m.Process(t, 2047, 0, "/usr/sbin/sshd", "sshd", "yum")
		}, step.Done, "", ""},
		{"rpm's database is damaged", full, func(_ *testing.T, w *world) {
			w.m.Programs["rpm"] = func([]string, string) (string, error) {
				return "", &hosttest.Exit{Code: 1, Stderr: "error: rpmdb: BDB0113 Thread/process 12/34 failed: BDB1507 Thread died in Berkeley DB library"}
			}
		}, step.Unknown, "rpm's database is damaged", "rm -f /var/lib/rpm/__db.*; rpm --rebuilddb"},
	} {
		w := newWorld(t, c.have...)
		if c.setup != nil {
			c.setup(t, w)
		}
		before := w.m.State(t)
		st := w.check(t)
		if st.State != c.state {
			t.Errorf("%s: %+v, want %s", c.name, st, c.state)
		}
		if said := strings.Join(append(st.What, st.Warnings...), "\n"); !strings.Contains(said, c.says) {
			t.Errorf("%s: it says %q, want %q", c.name, said, c.says)
		}
		if !strings.Contains(st.Hint, c.hint) || (c.hint == "") != (st.Hint == "") {
			t.Errorf("%s: hint %q, want %q", c.name, st.Hint, c.hint)
		}
		if c.state == step.Impossible {
			if err := w.apply(t); err == nil || hint.Of(err) != st.Hint {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if w.m.State(t) != before {
			t.Errorf("%s: it changed something", c.name)
		}
	}
}

// python is what runs yum.
const python = "/usr/bin/python2.7"

// TestWait: another yum is waited for, and what it did is taken into account.
func TestWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	w.m.Write(t, "/var/run/yum.pid", "2047\n")
	w.m.Process(t, 2047, 0, python, "/usr/bin/python", "/usr/bin/yum", "install", "ipset")
	w.onSay = func(e progress.Event) {
		if e.Kind == progress.Note {
			w.rpm.Set(t, kernel, ipset)
			if err := os.RemoveAll(w.h.Path("/proc/2047")); err != nil {
				t.Error(err)
			}
		}
	}
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	if len(w.said) != 1 || !strings.Contains(w.said[0], "waiting for process 2047") || w.ran(ipset) > 0 {
		t.Errorf("it said %q and ran %v", w.said, w.m.Calls())
	}
	if err := w.reset(t); err != nil {
		t.Fatal(err)
	}
	w.installed(t, kernel, ipset)
}

// TestStopped: a Ctrl-C in the middle of a transaction waits for its end.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	before := w.m.State(t)
	ctx, stop := context.WithCancelCause(t.Context())
	yum := w.m.Programs["yum"]
	w.m.Programs["yum"] = func(args []string, in string) (string, error) {
		if !slices.Contains(args, "--setopt=tsflags=test") {
			stop(errKilled)
		}
		return yum(args, in)
	}
	err := step.Run(ctx, w.h, w.journal(t), distro.Kinds(w.report), w.steps, func(step.Event) {})
	if !errors.Is(err, errKilled) {
		t.Errorf("it ended with %v", err)
	}
	w.installed(t, kernel, dockerCE, kubelet, selinux, ipset)
	if st := w.check(t); st.State != step.Done {
		t.Errorf("then it is %+v", st)
	}
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("reset: %v", err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	// A transaction that cannot be: nothing is changed but our own directory and the repo file.
	w := newWorld(t, kernel)
	before := w.m.State(t)
	w.rpm.Needs["kubelet"] = []string{"conntrack"}
	err := w.apply(t)
	if err == nil || !strings.Contains(err.Error(), kubelet+" needs conntrack, which neither this host nor the bundle has") || !strings.Contains(hint.Of(err), "bundle lock --baseline") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	if strings.Contains(err.Error(), "--enablerepo") || strings.Contains(err.Error(), "has no effect") {
		t.Errorf("the message is too long: %v", err)
	}
	w.installed(t, kernel)
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("reset: %v", err)
	}
	// One that fails, and one that completes with errors.
	for said, fails := range map[string]bool{"rpm killed: No space left on device": true, "Non-fatal POSTIN scriptlet failure in rpm package kubelet\nComplete!": false} {
		w := newWorld(t, kernel)
		yum := w.m.Programs["yum"]
		w.m.Programs["yum"] = func(args []string, in string) (string, error) {
			if slices.Contains(args, "--setopt=tsflags=test") {
				return yum(args, in)
			}
			if !fails {
				if _, err := yum(args, in); err != nil {
					return "", err
				}
			}
			return "", &hosttest.Exit{Code: 1, Stderr: said}
		}
		err := w.apply(t)
		if fails != (err != nil) || fails && hint.Of(err) != "df -h; df -i" || !fails && (len(w.said) != 1 || !strings.Contains(w.said[0], "completed with errors")) {
			t.Errorf("%s: %v, said %q", said, err, w.said)
		}
	}
}

// TestDamage: a flipped bit of the archive is found before anything is
// installed, and a file that was spoilt on the host is replaced.
func TestDamage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	data, lock := bundled(t, wanted())
	good := open(t, data, lock)
	w.use(t, software.Bundle{Archive: flipped{good.Archive}, Packages: lock})
	if err := w.apply(t); err == nil || !strings.Contains(err.Error(), "cannot unpack") || w.ran("yum") > 0 {
		t.Errorf("a damaged archive: %v", err)
	}
	w.installed(t, kernel)
	spoilt := "/var/lib/kubecrate/repo/" + parse(t, ipset).FileName()
	w.m.Write(t, spoilt, "spoilt", "/var/lib/kubecrate/repo/other-1-1.noarch.rpm", "old", "/var/lib/kubecrate/repo/repodata/old.xml", "old")
	w.use(t, good)
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	if got := w.m.Read(t, spoilt); !strings.HasPrefix(got, ipset) {
		t.Errorf("still spoilt: %.40q", got)
	}
	for dir, want := range map[string]int{"/var/lib/kubecrate/repo": 5, "/var/lib/kubecrate/repo/repodata": 2} {
		if names, err := w.h.ReadDir(dir); err != nil || len(names) != want {
			t.Errorf("%s holds %v, %v", dir, names, err)
		}
	}
}

// TestUndo: packages that others need stay, and so do packages changed since.
func TestUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	const podman, later = "podman-1.6.4-1.el7.x86_64", "ipset-7.6-1.el7.x86_64"
	w.rpm.Needs["podman"] = []string{"docker-cli"}
	w.rpm.Provides["docker-ce"] = []string{"docker-cli"}
	w.rpm.Set(t, kernel, dockerCE, kubelet, selinux, later, podman)
	if err := w.reset(t); err != nil {
		t.Fatal(err)
	}
	w.installed(t, kernel, dockerCE, selinux, later, podman)
	slices.Sort(w.said)
	want := []string{
		selinux + " stays: docker-ce-18.06.3.ce-3.el7.x86_64 needs it",
		dockerCE + " stays: podman-1.6.4-1.el7.x86_64 needs it",
		later + " stays: it replaced " + ipset + " of the bundle since. rpm -e ipset removes it",
	}
	if !slices.Equal(w.said, want) {
		t.Errorf("it said\n%s", strings.Join(w.said, "\n"))
	}
	if w.m.Read(t, repoFile) != "" {
		t.Error("the repo file is still there")
	}
}

// TestUndoGoesOn: a removal that failed is tried again by the next reset.
func TestUndoGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kernel)
	before := w.m.State(t)
	if err := w.apply(t); err != nil {
		t.Fatal(err)
	}
	rpm := w.m.Programs["rpm"]
	w.m.Programs["rpm"] = func(args []string, in string) (string, error) {
		if args[0] == "-e" && args[1] != "--test" {
			return "", &hosttest.Exit{Code: 1, Stderr: "error: %preun(kubelet-1.17.4-0.x86_64) scriptlet failed, exit status 1"}
		}
		return rpm(args, in)
	}
	if err := w.reset(t); err == nil || !strings.Contains(err.Error(), "the preun script of kubelet-1.17.4-0.x86_64 failed") {
		t.Errorf("%v", err)
	}
	w.m.Programs["rpm"] = rpm
	if err := w.reset(t); err != nil || w.m.State(t) != before {
		t.Errorf("the second reset: %v\n%s", err, w.m.State(t))
	}
}
