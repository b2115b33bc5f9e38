package depsolve

import (
	"slices"
	"strings"
	"testing"
)

// TestObsoleted: of what satisfies a requirement the package that obsoletes the
// others is taken; where an obsolete one is taken all the same, that is told.
func TestObsoleted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, problem, chosen, warning string }{
		{"a root", "root old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old", "old", "old-1-1.noarch is obsoleted by new-1-1.noarch of repository r, which dnf would install: to choose it, name new instead"},
		{"a root by version", "root old-1\nold-1-1.noarch\nnew-1-1.noarch obsoletes old < 2", "old", "name new instead"},
		{"the best of several", "root old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old\nnew-2-1.noarch obsoletes old", "old", "obsoleted by new-2-1.noarch"},
		{"another version is", "root old\nold-2-1.noarch\nnew-1-1.noarch obsoletes old < 2", "old", ""},
		{"each other", "root old\nold-1-1.noarch obsoletes new\nnew-1-1.noarch obsoletes old", "old", ""},
		{"itself", "root old\nold-2-1.noarch obsoletes old < 2", "old", ""},
		{"both roots", "root new\nroot old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old < 1", "new old", ""},
		{"a dependency that is provided", "root a\na-1-1.noarch requires old\nold-1-1.noarch\nnewer-1-1.noarch obsoletes old ; provides old", "a newer", ""},
		{"a dependency by capability", "root a\na-1-1.noarch requires cap\no-1-1.noarch provides cap\nnewer-1-1.noarch obsoletes o ; provides cap", "a newer", ""},
		{"a dependency that is not provided", "root a\na-1-1.noarch requires old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old", "a old", "does not provide what other packages require of it"},
		{"a pinned dependency", "root a\nroot old\na-1-1.noarch requires old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old ; provides old", "a old", "name new instead"},
		{"an excluded heir", "root old\nexclude new\nold-1-1.noarch\nnew-1-1.noarch obsoletes old", "old", ""},
	} {
		s, err := Solve(parseProblem(t, c.problem))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var chosen []string
		for _, x := range s.Chosen {
			chosen = append(chosen, x.Meta.Name)
		}
		said := strings.Join(s.Warnings, "; ")
		if got := strings.Join(chosen, " "); got != c.chosen || !strings.Contains(said, c.warning) || (said == "") != (c.warning == "") {
			t.Errorf("%s: chosen %s, warnings %q, want %s and %q", c.name, got, s.Warnings, c.chosen, c.warning)
		}
	}
	for _, c := range []struct{ problem, want string }{
		{"root old\nnew-1-1.noarch obsoletes old", "no package old; new-1-1.noarch obsoletes it: name new instead"},
		{"root old-1.5\nnew-1-1.noarch obsoletes old < 2", "new-1-1.noarch obsoletes old < 2: name new instead"},
		{"root old\nold-1-1.noarch requires gone\nnew-1-1.noarch obsoletes old", "old-1-1.noarch is obsoleted by new-1-1.noarch: name new instead"},
	} {
		if _, err := Solve(parseProblem(t, c.problem)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.problem, err, c.want)
		}
	}
}

// TestDnfObsoletes asks dnf which package it takes for a requirement.
func TestDnfObsoletes(t *testing.T) {
	t.Parallel()
	labTool(t, "dnf", "createrepo_c", "rpm")
	for _, problem := range []string{
		"root a\na-1-1.noarch requires old\nold-1-1.noarch\nnewer-1-1.noarch obsoletes old ; provides old",
		"root a\na-1-1.noarch requires cap\no-1-1.noarch provides cap\nnewer-1-1.noarch obsoletes o ; provides cap",
		"root a\na-1-1.noarch requires cap ; suggests o\no-1-1.noarch provides cap\nnewer-1-1.noarch obsoletes o ; provides cap",
		"root a\na-1-1.noarch requires old\nold-1-1.noarch\nnew-1-1.noarch obsoletes old",
	} {
		ours, theirs := chosenOf(t, problem), dnfChooses(t, problem)
		slices.Sort(ours)
		slices.Sort(theirs)
		if !slices.Equal(ours, theirs) {
			t.Errorf("chosen %q, by dnf %q\n%s", ours, theirs, problem)
		}
	}
}

// TestPatterns: a pattern means the best package of every name it matches.
func TestPatterns(t *testing.T) {
	t.Parallel()
	const repo = "\nkubelet-1.17.4-0.x86_64\nkubelet-1.17.17-0.x86_64\nkubelet-1.18.0-0.x86_64\nkubectl-1.17.4-0.x86_64\nkubectl-1.18.0-0.x86_64\n"
	for _, c := range []struct{ roots, chosen, err string }{
		{"kubelet-1.17.*", "kubelet-1.17.17-0.x86_64", ""},
		{"kubelet-1.17.4-*", "kubelet-1.17.4-0.x86_64", ""},
		{"kubelet-1.17.?", "kubelet-1.17.4-0.x86_64", ""},
		{"kube*", "kubectl-1.18.0-0.x86_64 kubelet-1.18.0-0.x86_64", ""},
		{"kube[lx]*-1.17.*", "kubelet-1.17.17-0.x86_64", ""},
		{"*.x86_64", "kubectl-1.18.0-0.x86_64 kubelet-1.18.0-0.x86_64", ""},
		{"kubelet-1.19.*", "", "no package matches kubelet-1.19.*"},
		{"kubelet-[", "", "kubelet-[ is not a pattern of names"},
		{"@core", "", "@core is a group, which is not supported: name the packages that `dnf group info core` lists"},
	} {
		s, err := Solve(parseProblem(t, "root "+c.roots+repo))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.roots, err, c.err)
			}
			continue
		}
		if err != nil || strings.Join(chosenNames(s), " ") != c.chosen {
			t.Errorf("%s: %q, %v, want %s", c.roots, chosenNames(s), err, c.chosen)
			continue
		}
		for _, x := range s.Chosen {
			if !x.Root || len(x.Why) != 1 || x.Why[0].Root != c.roots {
				t.Errorf("%s: %s is there for %v", c.roots, x.Meta.NEVRA, x.Why)
			}
		}
	}
}
