package rpm_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	cavalier "github.com/cavaliergopher/rpm"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// secondReader reads a package that Check accepted with a second, independent reader
// and says in what the two differ, "" where they agree. That reader panics on
// odd headers; where it cannot read one, ok is false.
func secondReader(b []byte, m *nevra.Metadata) (difference string, ok bool) {
	defer func() {
		if recover() != nil {
			difference, ok = "", false
		}
	}()
	p, err := cavalier.Read(bytes.NewReader(b))
	if err != nil {
		return "", false
	}
	theirs := nevra.NEVRA{Name: p.Name(), Arch: p.Architecture(), EVR: nevra.EVR{Epoch: strconv.Itoa(p.Epoch()), Version: p.Version(), Release: p.Release()}}
	mine := m.NEVRA
	if mine.Epoch == "" {
		mine.Epoch = "0" // the other one knows no absent epoch
	}
	if mine.Arch == "src" {
		theirs.Arch = "src" // to the other one a source package has the architecture it was built on
	}
	if mine != theirs {
		return fmt.Sprintf("%s and %s", mine, theirs), true
	}
	for _, kind := range []struct {
		name   string
		mine   []nevra.Relation
		theirs []cavalier.Dependency
	}{
		{"provides", m.Provides, p.Provides()}, {"requires", m.Requires, p.Requires()}, {"conflicts", m.Conflicts, p.Conflicts()},
		{"obsoletes", m.Obsoletes, p.Obsoletes()}, {"recommends", m.Recommends, p.Recommends()}, {"suggests", m.Suggests, p.Suggests()},
		{"supplements", m.Supplements, p.Supplements()}, {"enhances", m.Enhances, p.Enhances()},
	} {
		if len(kind.mine) != len(kind.theirs) {
			return fmt.Sprintf("%d and %d %s", len(kind.mine), len(kind.theirs), kind.name), true
		}
		for i, r := range kind.mine {
			if d := kind.theirs[i]; r.Name != d.Name() || r.Op != opOf(d.Flags()) || r.Op != nevra.Any && r.EVR.Version != d.Version() {
				return fmt.Sprintf("%s: %s and %s %d %s", kind.name, r, d.Name(), d.Flags(), d.Version()), true
			}
		}
	}
	return "", true
}

func opOf(flags int) (op nevra.Op) {
	for flag, bit := range map[int]nevra.Op{2: nevra.LT, 4: nevra.GT, 8: nevra.EQ} { // rpm, include/rpm/rpmds.h
		if flags&flag != 0 {
			op |= bit
		}
	}
	return op
}

// agree fails where the second reader reads b differently.
func agree(t testing.TB, name string, b []byte, m *nevra.Metadata) (compared bool) {
	t.Helper()
	difference, ok := secondReader(b, m)
	if difference != "" {
		t.Errorf("%s: two readers differ: %s", name, difference)
	}
	return ok
}

// TestSecondReader compares packages made here with the second reader, and shows that
// the comparison sees each difference.
func TestSecondReader(t *testing.T) {
	t.Parallel()
	rel := nevra.Relation{Name: "other", Op: nevra.GE, EVR: nevra.EVR{Version: "2"}}
	list := []nevra.Relation{rel, {Name: "plain"}}
	b, err := rpmtest.Build(rpmtest.Spec{
		Name: "foo", Epoch: "3", Version: "1.0", Release: "2.el7", Arch: "x86_64", Provides: list, Requires: list, Conflicts: list,
		Obsoletes: list, Recommends: list, Suggests: list, Supplements: list, Enhances: list,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := rpm.Check(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if !agree(t, "foo", b, v.Metadata) {
		t.Fatal("the second reader cannot read it")
	}
	for _, c := range []struct {
		want   string
		change func(*nevra.Metadata)
	}{
		{"foo-1.0-2.el7.x86_64", func(m *nevra.Metadata) { m.Epoch = "" }},
		{"bar-", func(m *nevra.Metadata) { m.Name = "bar" }},
		{"2 and 3 provides", func(m *nevra.Metadata) { m.Provides = m.Provides[1:] }},
		{"1 and 2 requires", func(m *nevra.Metadata) { m.Requires = m.Requires[1:] }},
		{"0 and 2 conflicts", func(m *nevra.Metadata) { m.Conflicts = nil }},
		{"0 and 2 enhances", func(m *nevra.Metadata) { m.Enhances = nil }},
		{"obsoletes: other <", func(m *nevra.Metadata) {
			m.Obsoletes = []nevra.Relation{{Name: "other", Op: nevra.LT, EVR: rel.EVR}, list[1]}
		}},
		{"suggests: other >= 3", func(m *nevra.Metadata) {
			m.Suggests = []nevra.Relation{{Name: "other", Op: nevra.GE, EVR: nevra.EVR{Version: "3"}}, list[1]}
		}},
	} {
		m := *v.Metadata
		c.change(&m)
		if got, ok := secondReader(b, &m); !ok || !strings.Contains(got, c.want) {
			t.Errorf("%q, %v, want %q", got, ok, c.want)
		}
	}
}

// TestSecondReaderReal compares all real packages that lie beside the repository.
func TestSecondReaderReal(t *testing.T) {
	t.Parallel()
	dir, names := realRPMs(t)
	compared := 0
	for _, name := range names {
		b := readFile(t, dir, name)
		v, err := rpm.Check(bytes.NewReader(b))
		if err == nil && agree(t, name, b, v.Metadata) {
			compared++
		}
	}
	if compared < len(names)/2 {
		t.Errorf("%d of %d packages were compared", compared, len(names))
	}
}
