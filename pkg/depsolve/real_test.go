package depsolve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
)

// sharedData is the directory of real repositories and RPMs beside the module;
// tests that need it are skipped where it is not.
func sharedData(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the package")
		}
		dir = parent
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, parts...)...)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there", filepath.Join(parts...))
	}
	return path
}

// readRepository reads the primary metadata of a repository on disk.
func readRepository(t testing.TB, repo string, priority int, dir string) []Candidate {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "repodata", "*primary.xml*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no primary.xml in %s: %v", dir, err)
	}
	f, err := os.Open(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := repodata.Decompress(files[len(files)-1], f)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var out []Candidate
	err = repodata.ReadPrimary(context.Background(), r, func(p *repodata.Package) error {
		out = append(out, Candidate{Meta: &p.Metadata, Repo: repo, Priority: priority, Checksum: p.Checksum.Value, ID: len(out)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readRPMs reads the headers of RPM files.
func readRPMs(t testing.TB, repo, dir string) []Candidate {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	var out []Candidate
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := rpm.Check(f)
		_ = f.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, Candidate{Meta: v.Metadata, Repo: repo, Checksum: filepath.Base(name), ID: len(out)})
	}
	return out
}

// fixtures are candidates in the format of parseProblem.
func fixtures(t testing.TB, text string) []Candidate {
	t.Helper()
	return parseProblem(t, "repo fixture\n"+text).Candidates
}

// without drops candidates by name.
func without(list []Candidate, names ...string) []Candidate {
	return slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool { return slices.Contains(names, c.Meta.Name) })
}

func nevras(list []Candidate) []nevra.NEVRA {
	var out []nevra.NEVRA
	for _, c := range list {
		out = append(out, c.Meta.NEVRA)
	}
	return out
}

// dockerFromSpec is docker-ce-18.06.3 as its spec file describes it, with the
// two libraries that the recorded transaction names as dependencies besides.
func dockerFromSpec(t testing.TB) Candidate {
	t.Helper()
	spec, err := os.ReadFile(sharedData(t, "specs", "docker-ce-18.06.3-centos-7.spec"))
	if err != nil {
		t.Fatal(err)
	}
	m := &nevra.Metadata{NEVRA: mustNEVRA(t, "docker-ce-18.06.3.ce-3.el7.x86_64")}
	line := regexp.MustCompile(`(?m)^(Requires|Conflicts|Obsoletes): *(.*)$`)
	for _, l := range line.FindAllStringSubmatch(string(spec), -1) {
		r, ok := nevra.ParseRelation(l[2])
		if !ok {
			t.Fatalf("cannot read %q", l[0])
		}
		switch l[1] {
		case "Requires":
			m.Requires = append(m.Requires, r)
		case "Conflicts":
			m.Conflicts = append(m.Conflicts, r)
		default:
			m.Obsoletes = append(m.Obsoletes, r)
		}
	}
	for _, lib := range []string{"libltdl.so.7()(64bit)", "libseccomp.so.2()(64bit)"} {
		m.Requires = append(m.Requires, nevra.Relation{Name: lib})
	}
	if len(m.Requires) != 11 || len(m.Conflicts) != 4 || len(m.Obsoletes) != 3 {
		t.Fatalf("the spec file was not read: %+v", m)
	}
	return Candidate{Meta: m, Repo: "docker", Checksum: "18.06.3"}
}

const ltdl = `libtool-ltdl-2.4.2-22.el7_3.x86_64 requires libc.so.6(GLIBC_2.4)(64bit) ; provides libltdl.so.7()(64bit)`

// names of what el7-docker-closure holds beyond a minimal CentOS 7.
var notMinimal = []string{
	"docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", "docker-scan-plugin", "containerd.io", "fuse-overlayfs", "fuse3-libs", "slirp4netns",
	"container-selinux", "policycoreutils-python", "setools-libs", "libsemanage-python", "audit-libs-python", "python-IPy", "checkpolicy", "libcgroup", "libseccomp",
}

func chosenNames(s Solution) []string {
	var out []string
	for _, c := range s.Chosen {
		out = append(out, c.Meta.NEVRA.String())
	}
	slices.Sort(out)
	return out
}

// TestClosureA is a recorded yum transaction on CentOS 7.9 minimal.
func TestClosureA(t *testing.T) {
	t.Parallel()
	held := readRepository(t, "base", 0, sharedData(t, "rpms", "el7-docker-closure"))
	record, err := os.ReadFile(sharedData(t, "closures", "A-docker-ce-18.06.3-on-centos7.9-minimal.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, l := range regexp.MustCompile(`(?m)^ (\S+) +(x86_64|noarch) +(\S+) +\S+ +[0-9]+ [kM]`).FindAllStringSubmatch(string(record), -1) {
		want = append(want, fmt.Sprintf("%s-%s.%s", l[1], l[3], l[2]))
	}
	slices.Sort(want)
	if len(want) != 11 {
		t.Fatalf("the record was not read: %q", want)
	}
	p := Problem{
		Arch: "x86_64", Roots: []string{"docker-ce-18.06.3.ce-3.el7"},
		Baseline:   nevras(without(held, notMinimal...)),
		Candidates: append(append(fixtures(t, ltdl), held...), dockerFromSpec(t)),
	}
	s, err := Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := chosenNames(s); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for _, c := range s.Chosen {
		if c.Upgrades != nil {
			t.Errorf("%s upgrades %s", c.Meta.NEVRA, c.Upgrades)
		}
	}
	chain, ok := chainTo(s, "python-IPy")
	if !ok || len(chain) != 4 || chain[1].Package.Name != "container-selinux" || chain[2].Package.Name != "policycoreutils-python" {
		t.Errorf("chain to python-IPy: %v %v", chain, ok)
	}
}

// TestClosureB is a recorded transaction on CentOS 7.6, where an exact version
// in a Requires makes three upgrades necessary. Versions that are not held are
// the held ones under the recorded NEVRA.
func TestClosureB(t *testing.T) {
	t.Parallel()
	held := readRepository(t, "base", 0, sharedData(t, "rpms", "el7-docker-closure"))
	held = append(held, fixtures(t, `audit-2.8.5-4.el7.x86_64 requires audit-libs(x86-64) = 2.8.5-4.el7, libauparse.so.0()(64bit), systemd`)...)
	recorded := map[string]string{ // the NEVRAs of the record
		"container-selinux": "container-selinux-2:2.107-3.el7.noarch", "libcgroup": "libcgroup-0.41-21.el7.x86_64",
		"libseccomp": "libseccomp-2.3.1-3.el7.x86_64", "policycoreutils-python": "policycoreutils-python-2.5-33.el7.x86_64",
		"python-IPy": "python-IPy-0.75-6.el7.noarch", "setools-libs": "setools-libs-3.3.8-4.el7.x86_64",
		"audit-libs-python": "audit-libs-python-2.8.5-4.el7.x86_64", "checkpolicy": "checkpolicy-2.5-8.el7.x86_64",
		"libsemanage-python": "libsemanage-python-2.5-14.el7.x86_64", "audit": "audit-2.8.5-4.el7.x86_64",
		"audit-libs": "audit-libs-2.8.5-4.el7.x86_64", "policycoreutils": "policycoreutils-2.5-33.el7.x86_64",
	}
	installed := map[string]string{ // what the 7.6 host had in other versions
		"audit": "audit-2.8.4-4.el7.x86_64", "audit-libs": "audit-libs-2.8.4-4.el7.x86_64", "policycoreutils": "policycoreutils-2.5-29.el7.x86_64",
		"libselinux": "libselinux-2.5-14.1.el7.x86_64", "libselinux-python": "libselinux-python-2.5-14.1.el7.x86_64", "libselinux-utils": "libselinux-utils-2.5-14.1.el7.x86_64",
		"selinux-policy": "selinux-policy-3.13.1-229.el7_6.5.noarch", "selinux-policy-targeted": "selinux-policy-targeted-3.13.1-229.el7_6.5.noarch",
	}
	p := Problem{Arch: "x86_64", Roots: []string{"docker-ce-18.06.3.ce-3.el7"}, Candidates: append(fixtures(t, ltdl), dockerFromSpec(t))}
	for _, c := range held {
		if n, ok := recorded[c.Meta.Name]; ok {
			c.Meta = asInstalled(mustNEVRA(t, n), c.Meta)
		}
		p.Candidates = append(p.Candidates, c)
		if !slices.Contains(notMinimal, c.Meta.Name) {
			n := c.Meta.NEVRA
			if other, ok := installed[n.Name]; ok {
				n = mustNEVRA(t, other)
			}
			p.Baseline = append(p.Baseline, n)
		}
	}
	s, err := Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Collect(maps.Values(recorded)), "docker-ce-18.06.3.ce-3.el7.x86_64", "libtool-ltdl-2.4.2-22.el7_3.x86_64")
	slices.Sort(want)
	if got := chosenNames(s); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	upgrades := map[string]string{}
	for _, c := range s.Chosen {
		if c.Upgrades != nil {
			upgrades[c.Meta.Name] = c.Upgrades.String()
		}
	}
	for _, n := range []string{"audit", "audit-libs", "policycoreutils"} {
		if upgrades[n] != installed[n] {
			t.Errorf("%s upgrades %q, want %q", n, upgrades[n], installed[n])
		}
	}
	if len(upgrades) != 3 {
		t.Errorf("upgrades: %v", upgrades)
	}
}

// TestClosureFromScratch resolves with nothing installed, against a directory
// that was once downloaded as the full closure of docker-ce 20.10.12.
func TestClosureFromScratch(t *testing.T) {
	t.Parallel()
	held := readRepository(t, "base", 0, sharedData(t, "rpms", "el7-docker-closure"))
	p := Problem{Arch: "x86_64", Roots: []string{"docker-ce", "docker-ce-cli", "containerd.io"}, Candidates: held}
	s, err := Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	(&judge{t: t}).check(p, s, nil)
	for _, n := range []string{"glibc", "bash", "filesystem", "systemd", "container-selinux", "selinux-policy-targeted"} {
		if _, ok := chainTo(s, n); !ok {
			t.Errorf("%s is not in the closure", n)
		}
	}
	chosen := chosenNames(s)
	var left []string
	for _, c := range held {
		if !slices.Contains(chosen, c.Meta.NEVRA.String()) {
			left = append(left, c.Meta.Name)
		}
	}
	t.Logf("%d of %d packages chosen; left out: %q", len(chosen), len(held), left)
	if len(chosen) < 120 {
		t.Errorf("only %d packages chosen", len(chosen))
	}
}

// TestKubernetes resolves kubeadm of the real repository.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	k8s := readRepository(t, "kubernetes", 50, sharedData(t, "repodata", "kubernetes-el7-x86_64@1.17.2-20200121"))
	base := readRepository(t, "base", 0, sharedData(t, "rpms", "el7-docker-closure"))
	deps := readRPMs(t, "base", sharedData(t, "rpms", "el7-k8s-deps"))
	more := fixtures(t, `
		ethtool-4.8-10.el7.x86_64 requires libc.so.6(GLIBC_2.14)(64bit)
		tcp_wrappers-libs-7.6-77.el7.x86_64 requires libc.so.6(GLIBC_2.14)(64bit) ; provides libwrap.so.0()(64bit)`)
	all := slices.Concat(k8s, base, deps, more)
	own := []string{
		"kubeadm-1.17.2-0.x86_64", "cri-tools-1.13.0-0.x86_64", "kubectl-1.17.2-0.x86_64", "kubelet-1.17.2-0.x86_64", "kubernetes-cni-0.7.5-0.x86_64",
		"conntrack-tools-1.4.4-7.el7.x86_64", "libnetfilter_cthelper-1.0.0-11.el7.x86_64", "libnetfilter_cttimeout-1.0.0-7.el7.x86_64",
		"libnetfilter_queue-1.0.2-2.el7_2.x86_64", "socat-1.7.3.2-2.el7.x86_64", "ebtables-2.0.10-16.el7.x86_64",
	}
	t.Run("on a minimal host", func(t *testing.T) {
		p := Problem{Arch: "x86_64", Roots: []string{"kubeadm-1.17.2-0"}, Candidates: all}
		p.Baseline = append(nevras(without(base, notMinimal...)), mustNEVRA(t, "iproute-4.11.0-30.el7.x86_64"), mustNEVRA(t, "ethtool-4.8-10.el7.x86_64"), mustNEVRA(t, "tcp_wrappers-libs-7.6-77.el7.x86_64"))
		s, err := Solve(p)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(own))
		if got := chosenNames(s); !slices.Equal(got, want) {
			t.Errorf("got %q\nwant %q", got, want)
		}
		if s.Chosen[0].Meta.Name != "kubeadm" || !s.Chosen[0].Root || s.Chosen[1].Meta.Name != "cri-tools" {
			t.Errorf("order: %q", chosenNames(s))
		}
	})
	t.Run("from scratch", func(t *testing.T) {
		p := Problem{Arch: "x86_64", Roots: []string{"kubeadm-1.17.2-0"}, Candidates: all}
		s, err := Solve(p)
		if err != nil {
			t.Fatal(err)
		}
		(&judge{t: t}).check(p, s, nil)
		for _, n := range append(own, "ethtool", "iproute", "iptables", "util-linux", "glibc", "bash") {
			if _, ok := chainTo(s, n); !ok {
				t.Errorf("%s is not in the closure", n)
			}
		}
	})
	t.Run("a version that is not there", func(t *testing.T) {
		_, err := Solve(Problem{Arch: "x86_64", Roots: []string{"kubeadm-1.17.9-0"}, Candidates: k8s})
		want := "no package kubeadm-1.17.9-0; the repositories hold kubeadm 1.16.6-0, 1.17.0-0, 1.17.1-0, 1.17.2-0"
		if err == nil || !strings.Contains(err.Error(), "no package kubeadm-1.17.9-0; the repositories hold kubeadm ") || !strings.Contains(err.Error(), "1.17.0-0, 1.17.1-0, 1.17.2-0") {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("without base", func(t *testing.T) {
		_, err := Solve(Problem{Arch: "x86_64", Roots: []string{"kubelet-1.17.2-0"}, Candidates: k8s})
		var u *Unsolvable
		if !errors.As(err, &u) || len(u.Reasons) != 1 || !strings.HasPrefix(u.Reasons[0], "kubelet-1.17.2-0.x86_64 requires ") || !strings.HasSuffix(u.Reasons[0], ", and nothing provides it") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("any version without base", func(t *testing.T) {
		_, err := Solve(Problem{Arch: "x86_64", Roots: []string{"kubeadm"}, Candidates: k8s})
		var u *Unsolvable
		if !errors.As(err, &u) || len(u.Reasons) > 8 {
			t.Errorf("got %v", err)
		}
		t.Log(err)
	})
}

// TestOpenSUSE solves a few roots of a large real repository with odd data.
func TestOpenSUSE(t *testing.T) {
	t.Parallel()
	all := readRepository(t, "suse", 0, sharedData(t, "repodata", "libzypp-bug206927"))
	solved := 0
	for i := 0; i < len(all); i += 40 {
		p := Problem{Arch: "i686", Roots: []string{all[i].Meta.Name}, Candidates: all}
		s, err := Solve(p)
		var u *Unsolvable
		switch {
		case errors.As(err, &u):
		case err != nil:
			t.Error(err)
		default:
			solved++
			(&judge{t: t}).check(p, s, nil)
		}
	}
	t.Logf("%d of %d roots solved", solved, (len(all)+39)/40)
}
