package depsolve

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

// labTool fails or skips the test where a program is missing.
func labTool(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			if os.Getenv("KUBECRATE_LAB") == "1" {
				t.Fatalf("the lab has no %s", n)
			}
			t.Skipf("no %s", n)
		}
	}
	if os.Getuid() != 0 {
		if os.Getenv("KUBECRATE_LAB") == "1" {
			t.Fatal("the lab must run as root: dnf installs into a root of its own")
		}
		t.Skip("dnf installs into a root of its own only as root")
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// buildRPM writes the package that m describes into dir.
func buildRPM(t *testing.T, dir string, m *nevra.Metadata) {
	t.Helper()
	s := rpmtest.Spec{
		Name: m.Name, Epoch: m.Epoch, Version: m.Version, Release: m.Release, Arch: m.Arch,
		Requires: m.Requires, Conflicts: m.Conflicts, Obsoletes: m.Obsoletes, Recommends: m.Recommends, Supplements: m.Supplements,
		Suggests: m.Suggests, Enhances: m.Enhances,
		Files: map[string][]byte{},
	}
	for _, p := range m.Provides {
		if p.Name != m.Name {
			s.Provides = append(s.Provides, p)
		}
	}
	for _, f := range m.Files {
		s.Files[f.Path] = []byte(m.Name + "\n")
	}
	b, err := rpmtest.Build(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, m.FileName()), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// installByDnf lets dnf install the roots of s into an empty root.
func installByDnf(t *testing.T, s Solution) []string {
	t.Helper()
	target := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	return dnfInto(t, target, s)
}

// dnfInto makes a repository of exactly the chosen packages and lets dnf
// install the roots from it, and from nothing else. It returns what rpm lists
// in the target afterwards.
func dnfInto(t *testing.T, target string, s Solution) []string {
	t.Helper()
	dir := t.TempDir()
	repo := filepath.Join(dir, "repo")
	if err := os.Mkdir(repo, 0o755); err != nil {
		t.Fatal(err)
	}
	var roots []string
	for _, c := range s.Chosen {
		buildRPM(t, repo, c.Meta)
		if c.Root {
			roots = append(roots, c.Meta.NEVRA.String())
		}
	}
	run(t, "createrepo_c", "--quiet", "--no-database", repo)
	args := []string{
		"--disablerepo=*", "--repofrompath=b,file://" + repo, "--enablerepo=b", "--installroot", target, "--releasever", "7", "--forcearch", "x86_64",
		"--setopt=cachedir=" + filepath.Join(dir, "cache"), "--setopt=logdir=" + dir, "--setopt=install_weak_deps=0", "--setopt=best=1",
		"--setopt=reposdir=" + dir, "--setopt=strict=1", "--nogpgcheck", "--noplugins", "install", "-y",
	}
	run(t, "dnf", append(args, roots...)...)
	var got []string
	for line := range strings.Lines(run(t, "rpm", "--root", target, "-qa", "--qf", "%{NEVRA}\n")) {
		got = append(got, strings.TrimSpace(line))
	}
	slices.Sort(got)
	return got
}

// TestDnfInstallsTheClosure proves with dnf that closures are complete: what
// it installs from the chosen packages alone is the chosen packages. dnf may
// find a smaller set where a requirement has several providers; it is
// reported, and so is what of the closure it left out. 5 repositories, 50 with
// KUBECRATE_LAB=1.
func TestDnfInstallsTheClosure(t *testing.T) {
	t.Parallel()
	labTool(t, "dnf", "createrepo_c", "rpm")
	count := 5
	if os.Getenv("KUBECRATE_LAB") == "1" {
		count = 50
	}
	exact, packages, tried := 0, 0, 0
	start := time.Now()
	for seed := uint64(1000); tried < count; seed++ {
		p := generate(seed, []int{50, 150, 500}[seed%3], false)
		s, err := Solve(p)
		if err != nil || len(s.Chosen) < 5 {
			continue
		}
		tried++
		packages += len(s.Chosen)
		got, want := installByDnf(t, s), chosenNames(s)
		if slices.Equal(got, want) {
			exact++
			continue
		}
		for _, n := range got {
			if !slices.Contains(want, n) {
				t.Errorf("seed %d: dnf installed %s, which is not in the closure", seed, n)
			}
		}
		left := slices.DeleteFunc(slices.Clone(want), func(n string) bool { return slices.Contains(got, n) })
		t.Logf("seed %d: dnf did without %d of %d: %s", seed, len(left), len(want), describe(s, left))
	}
	t.Logf("%d of %d closures installed exactly, %d packages, %v", exact, tried, packages, time.Since(start).Round(time.Millisecond))
	if exact < tried*3/4 {
		t.Errorf("dnf agreed on %d of %d closures only", exact, tried)
	}
}

func describe(s Solution, names []string) string {
	var out []string
	for _, c := range s.Chosen {
		if slices.Contains(names, c.Meta.NEVRA.String()) {
			out = append(out, fmt.Sprintf("%s %v", c.Meta.NEVRA, c.Why))
		}
	}
	return strings.Join(out, "; ")
}

// TestDnfRich installs closures with every rich operator.
func TestDnfRich(t *testing.T) {
	t.Parallel()
	labTool(t, "dnf", "createrepo_c", "rpm")
	for _, problem := range []string{
		"root a\na-1-1.noarch requires (x and y), (z or w)\nx-1-1.noarch\ny-1-1.noarch\nz-1-1.noarch",
		"root a\nroot y\na-1-1.noarch requires (x if y else z)\nx-1-1.noarch\ny-1-1.noarch\nz-1-1.noarch",
		"root a\na-1-1.noarch requires (x if y else z), (lib with cap < 2)\nx-1-1.noarch\nz-1-1.noarch\nl-1-1.noarch provides lib, cap = 1\nm-1-1.noarch provides lib, cap = 2",
		"root a\nroot x\na-1-1.noarch requires (lib without cap = 2) ; conflicts (x unless y)\nx-1-1.noarch\ny-1-1.noarch\nl-1-1.noarch provides lib, cap = 1\nm-2-1.noarch provides lib, cap = 2",
	} {
		s, err := Solve(parseProblem(t, problem))
		if err != nil {
			t.Errorf("%s\n%v", problem, err)
			continue
		}
		if got, want := installByDnf(t, s), chosenNames(s); !slices.Equal(got, want) {
			t.Errorf("%s\ndnf: %q\nwant: %q", problem, got, want)
		}
	}
}

// TestDnfUpgradesABaseline does the same on a root that has packages already:
// dnf must reach the roots by the closure alone, upgrades included.
func TestDnfUpgradesABaseline(t *testing.T) {
	t.Parallel()
	labTool(t, "dnf", "createrepo_c", "rpm")
	count := 3
	if os.Getenv("KUBECRATE_LAB") == "1" {
		count = 25
	}
	tried, upgraded, exact := 0, 0, 0
	for seed := uint64(5000); tried < count; seed++ {
		p := generate(seed, []int{60, 150}[seed%2], false)
		if !giveBaseline(&p) {
			continue
		}
		s, err := Solve(p)
		changes := slices.ContainsFunc(s.Chosen, func(c Choice) bool { return c.Upgrades != nil && !c.Root })
		if err != nil || !changes {
			continue
		}
		tried++
		target := filepath.Join(t.TempDir(), "root")
		if err := os.Mkdir(target, 0o755); err != nil {
			t.Fatal(err)
		}
		want := installBaseline(t, target, p, s)
		got := dnfInto(t, target, s)
		for _, c := range s.Chosen {
			if c.Upgrades != nil {
				upgraded++
			}
		}
		if slices.Equal(got, want) {
			exact++
			continue
		}
		t.Logf("seed %d: dnf\n%q\nclosure\n%q", seed, got, want)
	}
	t.Logf("%d of %d targets came out exactly, %d packages replaced", exact, tried, upgraded)
	if exact < tried*3/4 {
		t.Errorf("dnf agreed on %d of %d targets only", exact, tried)
	}
}

// giveBaseline makes the closure of some other roots, from the older versions
// of each name only, the baseline of p.
func giveBaseline(p *Problem) bool {
	old := Problem{Arch: p.Arch}
	for _, c := range p.Candidates {
		if c.Meta.Version < "3" {
			old.Candidates = append(old.Candidates, c)
		}
	}
	for i := 0; i < len(old.Candidates) && len(old.Roots) < 8; i += len(old.Candidates)/8 + 1 {
		try := old
		try.Roots = append(slices.Clone(old.Roots), old.Candidates[i].Meta.Name)
		if _, err := Solve(try); err == nil {
			old = try
		}
	}
	s, err := Solve(old)
	for _, c := range s.Chosen {
		p.Baseline = append(p.Baseline, c.Meta.NEVRA)
	}
	return err == nil && len(p.Baseline) > 5
}

// installBaseline writes the baseline of p to the database of target, and
// returns what should be there once s is installed.
func installBaseline(t *testing.T, target string, p Problem, s Solution) []string {
	t.Helper()
	dir := t.TempDir()
	gone := map[string]bool{}
	want := chosenNames(s)
	u, err := newUniverse(p)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := u.resolveRoots(p.Roots)
	if err != nil {
		t.Fatal(err)
	}
	w, err := u.search(roots)
	if err != nil {
		t.Fatal(err)
	}
	if w, err = u.prune(w); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.chosen {
		for _, b := range u.replaced(c) {
			gone[u.pkgs[b].meta.NEVRA.String()] = true
		}
	}
	args := []string{"--root", target, "-i", "--nodeps", "--force", "--justdb", "--nosignature"}
	for _, b := range u.installed {
		m := u.pkgs[b].meta
		buildRPM(t, dir, m)
		args = append(args, filepath.Join(dir, m.FileName()))
		if n := m.NEVRA.String(); !gone[n] && !slices.Contains(want, n) {
			want = append(want, n)
		}
	}
	run(t, "rpm", args...)
	slices.Sort(want)
	return want
}
