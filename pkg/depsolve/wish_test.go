package depsolve

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wishProblems have a requirement that several packages satisfy; want is the one
// to take.
var wishProblems = []struct{ name, problem, want string }{
	{"nothing", "core-1-1.noarch requires pol", "p-aaa"},
	{"suggests", "core-1-1.noarch requires pol ; suggests p-zzz", "p-zzz"},
	{"recommends", "core-1-1.noarch requires pol ; recommends p-zzz", "p-zzz"},
	{"recommends before suggests", "core-1-1.noarch requires pol ; suggests p-aaa ; recommends p-zzz", "p-zzz"},
	{"suggests by capability", "core-1-1.noarch requires pol ; suggests cap-zzz", "p-zzz"},
	{"suggests another version", "core-1-1.noarch requires pol ; suggests p-zzz > 5", "p-aaa"},
	{"suggests by another", "core-1-1.noarch requires other, pol\nother-1-1.noarch suggests p-zzz", "p-zzz"},
	{"supplements", "core-1-1.noarch requires pol\np-sup-1-1.noarch provides pol ; supplements core", "p-sup"},
	{"enhances", "core-1-1.noarch requires pol\np-enh-1-1.noarch provides pol ; enhances core", "p-enh"},
	{"supplements what is not there", "core-1-1.noarch requires pol\np-sup-1-1.noarch provides pol ; supplements absent", "p-aaa"},
	{"the older version is suggested", "core-1-1.noarch requires pol ; suggests p-old = 1-1\np-old-1-1.noarch provides pol\np-old-2-1.noarch provides pol", "p-aaa"},
	{"the newest version is suggested", "core-1-1.noarch requires pol ; suggests p-old\np-old-1-1.noarch provides pol\np-old-2-1.noarch provides pol", "p-old"},
}

const wishProviders = "\np-aaa-1-1.noarch provides pol\np-zzz-1-1.noarch provides pol, cap-zzz\n"

func chosenOf(t *testing.T, problem string) []string {
	t.Helper()
	s, err := Solve(parseProblem(t, problem))
	if err != nil {
		t.Fatalf("%s\n%v", problem, err)
	}
	var out []string
	for _, c := range s.Chosen {
		out = append(out, c.Meta.Name)
	}
	return out
}

func TestWeakRelationsChoose(t *testing.T) {
	t.Parallel()
	for _, c := range wishProblems {
		got := chosenOf(t, "root core\n"+c.problem+wishProviders)
		providers := slices.DeleteFunc(slices.Clone(got), func(n string) bool { return !strings.HasPrefix(n, "p-") })
		if !slices.Equal(providers, []string{c.want}) {
			t.Errorf("%s: %q, want %s", c.name, got, c.want)
		}
	}
}

// TestDnfWeakRelations asks dnf the same, of the whole repository, and of random
// ones: whatever is wished for on the way decides there as it does here.
func TestDnfWeakRelations(t *testing.T) {
	t.Parallel()
	labTool(t, "dnf", "createrepo_c", "rpm")
	count := 6
	if os.Getenv("KUBECRATE_LAB") == "1" {
		count = 60
	}
	for _, c := range wishProblems {
		got := dnfChooses(t, "root core\n"+c.problem+wishProviders)
		if !slices.Contains(got, c.want) {
			t.Errorf("%s: dnf takes %q, not %s", c.name, got, c.want)
		}
	}
	for seed := range uint64(count) {
		problem := randomWishes(rand.New(rand.NewPCG(seed, 7)))
		ours, theirs := chosenOf(t, problem), dnfChooses(t, problem)
		for _, n := range ours { // what dnf installs for weak relations alone is more
			if !slices.Contains(theirs, n) {
				t.Errorf("seed %d: chosen %q, by dnf %q\n%s", seed, ours, theirs, problem)
				break
			}
		}
	}
}

// randomWishes is a chain of packages that each require something which three
// packages provide, one of them wished for in some way.
func randomWishes(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("root a0\n")
	for i := range 6 {
		wished := fmt.Sprintf("c%d%c", i, 'x'+rune(r.IntN(3)))
		requirer := fmt.Sprintf("a%d-1-1.noarch requires c%d", i, i)
		if i < 5 {
			requirer += fmt.Sprintf(", a%d", i+1)
		}
		how := r.IntN(4)
		switch how {
		case 0:
			requirer += " ; recommends " + wished
		case 1:
			requirer += " ; suggests " + wished
		}
		b.WriteString(requirer + "\n")
		for _, x := range []string{"x", "y", "z"} {
			provider := fmt.Sprintf("c%d%s-1-1.noarch provides c%d", i, x, i)
			if fmt.Sprintf("c%d%s", i, x) == wished {
				provider += []string{"", "", fmt.Sprintf(" ; supplements a%d", i), fmt.Sprintf(" ; enhances a%d", i)}[how]
			}
			b.WriteString(provider + "\n")
		}
	}
	return b.String()
}

// dnfChooses has dnf, as it comes, install the roots of a problem out of all its
// candidates, and returns the names of what it installed.
func dnfChooses(t *testing.T, problem string) []string {
	t.Helper()
	dir := t.TempDir()
	repo, target := filepath.Join(dir, "repo"), filepath.Join(dir, "root")
	for _, d := range []string{repo, target} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := parseProblem(t, problem)
	for _, c := range p.Candidates {
		buildRPM(t, repo, c.Meta)
	}
	run(t, "createrepo_c", "--quiet", "--no-database", repo)
	run(t, "dnf", append([]string{
		"--disablerepo=*", "--repofrompath=b,file://" + repo, "--enablerepo=b", "--installroot", target, "--releasever", "7", "--forcearch", "x86_64",
		"--setopt=cachedir=" + filepath.Join(dir, "cache"), "--setopt=logdir=" + dir, "--setopt=reposdir=" + dir, "--nogpgcheck", "--noplugins", "install", "-y",
	}, p.Roots...)...)
	var got []string
	for line := range strings.Lines(run(t, "rpm", "--root", target, "-qa", "--qf", "%{NAME}\n")) {
		got = append(got, strings.TrimSpace(line))
	}
	return got
}
