package depsolve

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"kubecrate/pkg/nevra"
)

// distribution makes packages as a distribution has them: three versions of
// each name, sonames, symbol versions, files and scripts' interpreters; most
// requirements point into a core of 300 names.
func distribution(size int) []Candidate {
	rng := rand.New(rand.NewPCG(3, 4))
	names := size / 3
	out := make([]Candidate, 0, size)
	for i := range names {
		name := fmt.Sprintf("package%04d", i)
		var requires []nevra.Relation
		for range min(i, 4+rng.IntN(16)) {
			n := rng.IntN(min(i, 300))
			if rng.IntN(4) == 0 {
				n = rng.IntN(i)
			}
			switch rng.IntN(6) {
			case 0:
				requires = append(requires, nevra.Relation{Name: fmt.Sprintf("package%04d", n), Op: nevra.GE, EVR: nevra.EVR{Epoch: "0", Version: "1.1"}})
			case 1:
				requires = append(requires, nevra.Relation{Name: fmt.Sprintf("/usr/bin/tool%04d", n)})
			default:
				requires = append(requires, nevra.Relation{Name: fmt.Sprintf("lib%04d.so.1(V_%d)(64bit)", n, rng.IntN(10))})
			}
		}
		for v := range 3 {
			m := &nevra.Metadata{NEVRA: nevra.NEVRA{Name: name, EVR: nevra.EVR{Epoch: "0", Version: fmt.Sprintf("1.%d", v), Release: "1.el7"}, Arch: "x86_64"}}
			m.Requires = requires
			own := nevra.Relation{Name: name, Op: nevra.EQ, EVR: m.EVR}
			m.Provides = append(m.Provides, own)
			own.Name += "(x86-64)"
			m.Provides = append(m.Provides, own)
			for k := range 10 {
				m.Provides = append(m.Provides, nevra.Relation{Name: fmt.Sprintf("lib%04d.so.1(V_%d)(64bit)", i, k)})
			}
			for k := range 5 {
				m.Files = append(m.Files, nevra.File{Path: fmt.Sprintf("/etc/%s/%d", name, k)})
			}
			m.Files = append(m.Files, nevra.File{Path: fmt.Sprintf("/usr/bin/tool%04d", i)})
			out = append(out, Candidate{Meta: m, Repo: "base", Checksum: fmt.Sprintf("%d-%d", i, v), ID: len(out)})
		}
	}
	return out
}

// BenchmarkSolve10k solves over 10,000 packages that are parsed already.
// "plain" meets no contradiction, "search" does and asks the oracle,
// "unsolvable" is explained, "baseline" has 400 packages installed in their
// oldest version.
func BenchmarkSolve10k(b *testing.B) {
	all := distribution(10000)
	roots := []string{"package3000", "package2500-1.1-1.el7", "package2000", "package1500", "package0900"}
	// late conflicts with what first took before late is met
	first := &nevra.Metadata{NEVRA: nevra.NEVRA{Name: "first", EVR: nevra.EVR{Version: "1", Release: "1"}, Arch: "noarch"}}
	first.Requires = []nevra.Relation{{Name: "package0000"}, {Name: "late"}}
	late := &nevra.Metadata{NEVRA: nevra.NEVRA{Name: "late", EVR: nevra.EVR{Version: "1", Release: "1"}, Arch: "noarch"}}
	late.Conflicts = []nevra.Relation{{Name: "package0000", Op: nevra.GT, EVR: nevra.EVR{Version: "1.1"}}}
	never := *late
	never.Conflicts = []nevra.Relation{{Name: "package0000"}}
	var installed []nevra.NEVRA
	for i := range 400 {
		installed = append(installed, all[3*i].Meta.NEVRA)
	}
	add := func(more ...*nevra.Metadata) []Candidate {
		list := append([]Candidate(nil), all...)
		for _, m := range more {
			list = append(list, Candidate{Meta: m, Repo: "extra", Checksum: "x", ID: len(list)})
		}
		return list
	}
	cases := []struct {
		name string
		p    Problem
		fail bool
	}{
		{"plain", Problem{Arch: "x86_64", Roots: roots, Candidates: all}, false},
		{"search", Problem{Arch: "x86_64", Roots: append([]string{"first"}, roots...), Candidates: add(first, late)}, false},
		{"unsolvable", Problem{Arch: "x86_64", Roots: append([]string{"first"}, roots...), Candidates: add(first, &never)}, true},
		{"baseline", Problem{Arch: "x86_64", Roots: roots, Candidates: all, Baseline: installed}, false},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			chosen := 0
			for b.Loop() {
				s, err := Solve(c.p)
				if (err != nil) != c.fail {
					b.Fatal(err)
				}
				chosen = len(s.Chosen)
			}
			b.ReportMetric(float64(chosen), "chosen")
		})
	}
}

// TestSolve10kBounds holds the benchmark's problem to its bounds: a second of
// processor time, which other work on the machine does not count towards, and
// 200 MB allocated in all.
func TestSolve10kBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	all := distribution(10000)
	p := Problem{Arch: "x86_64", Roots: []string{"package3000", "package2000"}, Candidates: all}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := cpuTime(t)
	s, err := Solve(p)
	took := cpuTime(t) - start
	runtime.ReadMemStats(&after)
	if err != nil || len(s.Chosen) < 100 {
		t.Fatalf("%d chosen, %v", len(s.Chosen), err)
	}
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%d of %d packages chosen in %v of processor time, %d MB allocated", len(s.Chosen), len(all), took, allocated)
	if took > time.Second || allocated > 200 {
		t.Errorf("took %v and %d MB", took, allocated)
	}
}

// cpuTime is the processor time of this process so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
