package repodata

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

// asCreaterepo has the real createrepo_c write metadata of the packages in dir
// and compares it with their headers.
func asCreaterepo(t *testing.T, dir string, args ...string) (compared int) {
	t.Helper()
	createrepo := tool(t, "createrepo_c")
	out, err := exec.CommandContext(t.Context(), createrepo, append(args, "--general-compress-type=gz", "-q", dir)...).CombinedOutput()
	if err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
	return sameInFolder(t, dir)
}

// sameInFolder compares the metadata of a folder with the headers of the
// packages that lie in it.
func sameInFolder(t *testing.T, dir string) (compared int) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "repodata", "repomd.xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	md, err := ReadRepomd(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range readAll(t, bytes.NewReader(realDocument(t, dir, md, Primary))) {
		path := filepath.Join(dir, p.Location)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		header := fromRPM(t, path, p.Location)
		if !SameRelations(&header.Metadata, Relations(&p.Metadata)) {
			t.Errorf("%s: %q\nheader %v\nmetadata %v\nprovides %v", p.NEVRA, DifferentRelations(&header.Metadata, &p.Metadata), header.Requires, p.Requires, header.Provides)
		}
		compared++
	}
	return compared
}

// TestRelationsOfCreaterepo: what createrepo_c makes of headers of every kind is
// not called different.
func TestRelationsOfCreaterepo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 4))
	names := []string{
		"p1", "p2", "libc.so.6(GLIBC_2.4)(64bit)", "libc.so.6(GLIBC_2.17)(64bit)", "libc.so.6()(64bit)", "rpmlib(FileDigests)", "/usr/bin/p1",
		"/etc/p2.conf", "/usr/share/p1/data", "config(p1)", "(a if b)", "perl(A::B)", "caf\xe9", "x<y&z",
	}
	list := func() (out []nevra.Relation) {
		for range random.IntN(8) {
			r := nevra.Relation{Name: names[random.IntN(len(names))], Pre: random.IntN(4) == 0}
			if random.IntN(2) == 0 && !strings.HasPrefix(r.Name, "(") {
				r.Op = []nevra.Op{nevra.LT, nevra.LE, nevra.EQ, nevra.GE, nevra.GT}[random.IntN(5)]
				r.EVR = nevra.EVR{Epoch: []string{"", "0", "2"}[random.IntN(3)], Version: "1", Release: []string{"", "1"}[random.IntN(2)]}
			}
			out = append(out, r)
			if random.IntN(4) == 0 {
				out = append(out, r)
			}
		}
		return out
	}
	for i := range 200 {
		s := rpmtest.Spec{
			Name: fmt.Sprintf("p%d", i), Version: "1", Arch: "x86_64", Provides: list(), Requires: append(list(), list()...), Conflicts: list(), Obsoletes: list(),
			Recommends: list(), Suggests: list(), Supplements: list(), Enhances: list(),
			Files: map[string][]byte{fmt.Sprintf("/usr/bin/p%d", i): nil, fmt.Sprintf("/etc/p%d.conf", i): nil, fmt.Sprintf("/usr/share/p%d/data", i): nil},
		}
		b, err := rpmtest.Build(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, s.NEVRA().FileName()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := asCreaterepo(t, dir); n != 200 {
		t.Errorf("%d packages were compared", n)
	}
}

// TestRelationsReal does the same with real packages, and with the metadata
// that other tools wrote of some of them.
func TestRelationsReal(t *testing.T) {
	t.Parallel()
	data := sharedData(t)
	for _, dir := range []string{"rpms/el8-weka/docker-ce", "rpms/el7-docker-closure"} {
		if n := sameInFolder(t, filepath.Join(data, dir)); n == 0 {
			t.Errorf("%s: nothing was compared", dir)
		}
	}
	for _, pattern := range []string{"rpms/el7-k8s-deps/*.rpm", "rpms/el7-multilib/*.rpm", "rpms/el7/*.rpm", "rpms/cavaliergopher/*.rpm", "rpms/el8-weka/*/*.rpm"} {
		dir, names := rpmFolder(t, pattern)
		if n := asCreaterepo(t, dir); n != len(names) {
			t.Errorf("%s: %d of %d packages were compared", pattern, n, len(names))
		}
	}
}

// TestDifferentRelations changes one relation of each kind, on either side.
func TestDifferentRelations(t *testing.T) {
	t.Parallel()
	rel := func(name string) nevra.Relation { return nevra.Relation{Name: name} }
	header := func() *nevra.Metadata {
		return &nevra.Metadata{
			NEVRA:    nevra.NEVRA{Name: "app", EVR: nevra.EVR{Version: "1", Release: "1"}, Arch: "noarch"},
			Requires: []nevra.Relation{rel("rpmlib(x)"), rel("own"), rel("/usr/bin/app"), rel("/opt/app/data"), rel("needed"), {Name: "v", Op: nevra.GE, EVR: nevra.EVR{Version: "2"}}},
			Provides: []nevra.Relation{rel("own"), rel("cap")}, Conflicts: []nevra.Relation{rel("enemy")}, Obsoletes: []nevra.Relation{rel("old")},
			Recommends: []nevra.Relation{rel("good")}, Suggests: []nevra.Relation{rel("nice")}, Supplements: []nevra.Relation{rel("base")}, Enhances: []nevra.Relation{rel("other")},
			Files: []nevra.File{{Path: "/usr/bin/app"}, {Path: "/opt/app/data"}},
		}
	}
	drop := func(list *[]nevra.Relation, name string) {
		*list = slices.DeleteFunc(*list, func(r nevra.Relation) bool { return r.Name == name })
	}
	for _, c := range []struct {
		name, want string
		change     func(m *nevra.Metadata)
	}{
		{"equal", "", func(*nevra.Metadata) {}},
		{"thinned by createrepo_c", "", func(m *nevra.Metadata) { m.Requires = requires(m) }},
		{"thinned by createrepo", "", func(m *nevra.Metadata) { m.Requires = requires(m); drop(&m.Requires, "/opt/app/data") }},
		{"another order, twice, pre", "", func(m *nevra.Metadata) {
			slices.Reverse(m.Requires)
			m.Requires = append(m.Requires, nevra.Relation{Name: "needed", Pre: true})
		}},
		{"files of primary.xml only", "", func(m *nevra.Metadata) { m.Files = m.Files[:1] }},
		{"epoch 0", "", func(m *nevra.Metadata) { m.Requires[5].EVR.Epoch = "0" }},
		{"no requires", "its header requires needed, the metadata does not", func(m *nevra.Metadata) { m.Requires = nil }},
		{"one less", "its header requires needed, the metadata does not", func(m *nevra.Metadata) { drop(&m.Requires, "needed") }},
		{"one more", "the metadata requires more, its header does not", func(m *nevra.Metadata) { m.Requires = append(m.Requires, rel("more")) }},
		{"another version", "its header requires v >= 2, the metadata does not", func(m *nevra.Metadata) { m.Requires[5].EVR.Version = "1" }},
		{"another operator", "the metadata requires v <= 2, its header does not", func(m *nevra.Metadata) { m.Requires[5].Op = nevra.LE }},
		{"provides", "its header provides cap, the metadata does not", func(m *nevra.Metadata) { drop(&m.Provides, "cap") }},
		{"provides what it requires", "the metadata provides needed, its header does not", func(m *nevra.Metadata) { m.Provides = append(m.Provides, rel("needed")) }},
		{"owns what it requires", "", func(m *nevra.Metadata) { m.Files = append(m.Files, nevra.File{Path: "/usr/bin/x"}) }},
		{"conflicts", "its header conflicts with enemy, the metadata does not", func(m *nevra.Metadata) { m.Conflicts = nil }},
		{"obsoletes", "its header obsoletes old, the metadata does not", func(m *nevra.Metadata) { m.Obsoletes = nil }},
		{"recommends", "its header recommends good, the metadata does not", func(m *nevra.Metadata) { m.Recommends = nil }},
		{"suggests", "its header suggests nice, the metadata does not", func(m *nevra.Metadata) { m.Suggests = nil }},
		{"supplements", "its header supplements base, the metadata does not", func(m *nevra.Metadata) { m.Supplements = nil }},
		{"enhances", "its header enhances other, the metadata does not", func(m *nevra.Metadata) { m.Enhances = nil }},
		{"suggests for recommends", "the metadata suggests good, its header does not", func(m *nevra.Metadata) { m.Suggests = append(m.Suggests, m.Recommends...) }},
	} {
		m := header()
		c.change(m)
		same, got := SameRelations(header(), Relations(m)), DifferentRelations(header(), m)
		if same != (c.want == "") || (len(got) == 0) != same || !same && !slices.Contains(got, c.want) {
			t.Errorf("%s: same %v, %q, want %q", c.name, same, got, c.want)
		}
	}
}
