package depsolve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type solveCase struct {
	name, problem, want string
}

// check solves c in three ways: as it is, with its candidates shuffled, and
// with the oracle asked at each step. All must give what is wanted.
func (c solveCase) check(t *testing.T) {
	t.Helper()
	want := trimLines(c.want)
	if got := format(Solve(parseProblem(t, c.problem))); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	p := parseProblem(t, c.problem)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		p.Filelists = parseProblem(t, c.problem).Filelists
		q := parseProblem(t, c.problem)
		rng.Shuffle(len(q.Candidates), func(i, j int) {
			q.Candidates[i], q.Candidates[j] = q.Candidates[j], q.Candidates[i]
		})
		rng.Shuffle(len(q.Baseline), func(i, j int) { q.Baseline[i], q.Baseline[j] = q.Baseline[j], q.Baseline[i] })
		if got := format(Solve(q)); got != want {
			t.Errorf("shuffled, got:\n%swant:\n%s", got, want)
		}
	}
	if got := format(solveByOracle(parseProblem(t, c.problem))); got != want {
		t.Errorf("by oracle, got:\n%swant:\n%s", got, want)
	}
}

func runCases(t *testing.T, cases []solveCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t)
		})
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	const versions = `
		foo-1-1.x86_64
		foo-2-1.x86_64
		foo-2-2.x86_64 provides cap = 7 ; file /usr/bin/foo
		foo-1:0.5-1.x86_64
		foo-bar-9-9.noarch
		`
	runCases(t, []solveCase{
		{"name is newest", "root foo" + versions, "foo-1:0.5-1.x86_64 root"},
		{"name and version", "root foo-2" + versions, "foo-2-2.x86_64 root"},
		{"name version release", "root foo-2-1" + versions, "foo-2-1.x86_64 root"},
		{"with architecture", "root foo-1-1.x86_64" + versions, "foo-1-1.x86_64 root"},
		{"name and architecture", "root foo.x86_64" + versions, "foo-1:0.5-1.x86_64 root"},
		{"epoch may be left out", "root foo-0.5-1" + versions, "foo-1:0.5-1.x86_64 root"},
		{"epoch before version", "root foo-1:0.5-1.x86_64" + versions, "foo-1:0.5-1.x86_64 root"},
		{"epoch before name", "root 1:foo-0.5-1.x86_64" + versions, "foo-1:0.5-1.x86_64 root"},
		{"epoch zero", "root foo-0:2-1" + versions, "foo-2-1.x86_64 root"},
		{"dash in name", "root foo-bar" + versions, "foo-bar-9-9.noarch root"},
		{"capability", "root cap" + versions, "foo-2-2.x86_64 root"},
		{"relation", "root cap >= 7" + versions, "foo-2-2.x86_64 root"},
		{"relation on a name", "root foo < 2-2" + versions, "foo-2-1.x86_64 root"},
		{"path", "root /usr/bin/foo" + versions, "foo-2-2.x86_64 root"},
		{"hidden path", "root /opt/x\na-1-1.noarch hidden /opt/x", "a-1-1.noarch root"},
		{"order and doubles", "root foo-bar\nroot foo\nroot foo-bar" + versions, "foo-bar-9-9.noarch root\nfoo-1:0.5-1.x86_64 root"},
		{"a pin decides for a plain name", "root foo\nroot foo-2-1" + versions, `
			foo-2-1.x86_64 root
			warning: foo: chose foo-2-1.x86_64, because foo-1:0.5-1.x86_64 cannot be installed with the rest`},
		{"older if the newest cannot be had", "root a\na-1-1.noarch\na-2-1.noarch requires nothing-there", `
			a-1-1.noarch root
			warning: a: chose a-1-1.noarch, because a-2-1.noarch cannot be installed with the rest`},
	})
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	runCases(t, []solveCase{
		{"breadth first", `
			root a
			root b
			a-1-1.noarch requires c, d
			b-1-1.noarch requires e
			c-1-1.noarch requires f
			d-1-1.noarch
			e-1-1.noarch
			f-1-1.noarch requires rpmlib(CompressedFileNames) <= 3.0.4-1`,
			"a-1-1.noarch root\nb-1-1.noarch root\nc-1-1.noarch\nd-1-1.noarch\ne-1-1.noarch\nf-1-1.noarch"},
		{"own provides", "root a\na-1-1.noarch requires x = 3, /a ; provides x = 3 ; file /a", "a-1-1.noarch root"},
		{"versioned provides", `
			root a
			a-1-1.noarch requires x >= 2
			b-9-1.noarch provides x = 1.9
			c-1-1.noarch provides x = 2.0-5
			d-1-1.noarch provides y`, "a-1-1.noarch root\nc-1-1.noarch"},
		{"unversioned provide satisfies any version", "root a\na-1-1.noarch requires x >= 2\nb-1-1.noarch provides x", "a-1-1.noarch root\nb-1-1.noarch"},
		{"name before another's newer provide", "root a\na-1-1.noarch requires x\nx-1-1.noarch\nb-9-1.noarch provides x", "a-1-1.noarch root\nx-1-1.noarch"},
		{"shorter name, then name", "root a\na-1-1.noarch requires x\nlibx-minimal-1-1.noarch provides x\nlibx-1-1.noarch provides x", "a-1-1.noarch root\nlibx-1-1.noarch"},
		{"priority before version", `
			root a
			a-1-1.noarch requires x
			repo low
			x-9-1.noarch
			repo high 10
			x-1-1.noarch`, "a-1-1.noarch root\nx-1-1.noarch from high"},
		{"priority orders and does not exclude", `
			root a
			a-1-1.noarch requires x >= 5
			repo low
			x-9-1.noarch
			repo high 10
			x-1-1.noarch`, "a-1-1.noarch root\nx-9-1.noarch from low"},
		{"a pinned dependency", "root a\nroot x-1-1\na-1-1.noarch requires x\nx-1-1.noarch\nx-2-1.noarch", "a-1-1.noarch root\nx-1-1.noarch root"},
		{"file", "root a\na-1-1.noarch requires /bin/sh\nb-1-1.noarch file /bin/sh", "a-1-1.noarch root\nb-1-1.noarch"},
		{"hidden file", "root a\na-1-1.noarch requires /opt/x\nb-1-1.noarch hidden /opt/x", "a-1-1.noarch root\nb-1-1.noarch"},
		{"file in a rich dependency", "root a\na-1-1.noarch requires (/opt/x and c)\nb-1-1.noarch file /opt/x\nc-1-1.noarch", "a-1-1.noarch root\nb-1-1.noarch\nc-1-1.noarch"},
		{"excluded", "root a\nexclude x-2*\na-1-1.noarch requires x\nx-1-1.noarch\nx-2-1.noarch", "a-1-1.noarch root\nx-1-1.noarch"},
		{"foreign architectures", "root a\na-1-1.noarch requires x\nx-1-1.x86_64\nx-2-1.i686\nx-3-1.aarch64\nx-4-1.src", "a-1-1.noarch root\nx-1-1.x86_64"},
		{"aarch64", "arch aarch64\nroot a\na-1-1.noarch requires x\nx-1-1.x86_64\nx-1-1.aarch64", "a-1-1.noarch root\nx-1-1.aarch64"},
		{"multilib on request", `
			root libx.i686
			libx-1-1.i686 requires y
			libx-1-1.x86_64
			y-1-1.i686
			y-1-1.x86_64`, "libx-1-1.i686 root\ny-1-1.x86_64"},
		{"the newest has a dead end", `
			root a
			a-1-1.noarch requires x
			x-3-1.noarch requires y
			y-1-1.noarch requires z
			x-2-1.noarch`, "a-1-1.noarch root\nx-2-1.noarch"},
		{"backtracking over two choices", `
			root a
			a-1-1.noarch requires x, y
			x-2-1.noarch requires l = 1
			x-1-1.noarch
			y-1-1.noarch requires k
			k-1-1.noarch requires l = 2
			l-1-1.noarch
			l-2-1.noarch`, "a-1-1.noarch root\nx-1-1.noarch\ny-1-1.noarch\nk-1-1.noarch\nl-2-1.noarch"},
		{"same package in two repositories", `
			root x
			repo one 60
			x-1-1.noarch
			repo two 50
			x-1-1.noarch`, "x-1-1.noarch root from two"},
		{"two kernels", "root kernel-1-1\nroot kernel-2-1\nkernel-1-1.x86_64\nkernel-2-1.x86_64", "kernel-1-1.x86_64 root\nkernel-2-1.x86_64 root"},
		{"a cycle", "root a\na-1-1.noarch requires b\nb-1-1.noarch requires a", "a-1-1.noarch root\nb-1-1.noarch"},
		{"redundant by a later choice", `
			root a
			a-1-1.noarch requires x, y
			b-9-1.noarch provides x
			y-1-1.noarch provides x`, "a-1-1.noarch root\ny-1-1.noarch"},
		{"a redundant cycle", `
			root a
			a-1-1.noarch requires x, y
			b-9-1.noarch requires c ; provides x
			c-1-1.noarch requires b
			y-1-1.noarch provides x`, "a-1-1.noarch root\ny-1-1.noarch"},
	})
}

func TestConflictsAndObsoletes(t *testing.T) {
	t.Parallel()
	runCases(t, []solveCase{
		{"conflict avoided", "root a\na-1-1.noarch requires x ; conflicts b\nb-2-1.noarch provides x\nc-1-1.noarch provides x", "a-1-1.noarch root\nc-1-1.noarch"},
		{"conflict of the other", "root a\na-1-1.noarch requires x\nb-2-1.noarch provides x ; conflicts a\nc-1-1.noarch provides x", "a-1-1.noarch root\nc-1-1.noarch"},
		{"versioned conflict does not apply", "root a\na-1-1.noarch requires b ; conflicts b < 2\nb-2-1.noarch", "a-1-1.noarch root\nb-2-1.noarch"},
		{"conflict with what a package provides", "root a\nroot c\na-1-1.noarch requires x ; conflicts y\nb-2-1.noarch provides x, y\nc-1-1.noarch provides x", "a-1-1.noarch root\nc-1-1.noarch root"},
		{"no conflict with itself", "root a\na-1-1.noarch provides mta ; conflicts mta", "a-1-1.noarch root"},
		{"obsoletes match names", "root a\na-1-1.noarch requires x ; obsoletes b\nb-2-1.noarch provides x\nc-1-1.noarch provides x", "a-1-1.noarch root\nc-1-1.noarch"},
		{"obsoletes do not match provides", "root a\na-1-1.noarch requires x ; obsoletes x\nb-2-1.noarch provides x", "a-1-1.noarch root\nb-2-1.noarch"},
		{"obsoletes of old versions", "root a\na-1-1.noarch requires b ; obsoletes b < 2\nb-2-1.noarch", "a-1-1.noarch root\nb-2-1.noarch"},
	})
}

func TestRich(t *testing.T) {
	t.Parallel()
	const packages = `
		x-1-1.noarch
		y-1-1.noarch provides cap = 2, lib
		z-1-1.noarch provides cap = 1, lib
		`
	runCases(t, []solveCase{
		{"and", "root a\na-1-1.noarch requires (x and y)" + packages, "a-1-1.noarch root\nx-1-1.noarch\ny-1-1.noarch"},
		{"or takes the first", "root a\na-1-1.noarch requires (y or x)" + packages, "a-1-1.noarch root\ny-1-1.noarch"},
		{"or is satisfied", "root a\nroot x\na-1-1.noarch requires (y or x)" + packages, "a-1-1.noarch root\nx-1-1.noarch root"},
		{"or skips what is not there", "root a\na-1-1.noarch requires (nope or x)" + packages, "a-1-1.noarch root\nx-1-1.noarch"},
		{"if not", "root a\na-1-1.noarch requires (x if y)" + packages, "a-1-1.noarch root"},
		{"if", "root a\nroot y\na-1-1.noarch requires (x if y)" + packages, "a-1-1.noarch root\ny-1-1.noarch root\nx-1-1.noarch"},
		{"if, known later", "root a\na-1-1.noarch requires (x if y), b\nb-1-1.noarch requires y" + packages, "a-1-1.noarch root\nb-1-1.noarch\ny-1-1.noarch\nx-1-1.noarch"},
		{"if else, else", "root a\na-1-1.noarch requires (x if y else z)" + packages, "a-1-1.noarch root\nz-1-1.noarch"},
		{"if else, if", "root y\nroot a\na-1-1.noarch requires (x if y else z)" + packages, "y-1-1.noarch root\na-1-1.noarch root\nx-1-1.noarch"},
		{"with", "root a\na-1-1.noarch requires (lib with cap < 2)" + packages, "a-1-1.noarch root\nz-1-1.noarch"},
		{"without", "root a\na-1-1.noarch requires (lib without cap = 1)" + packages, "a-1-1.noarch root\ny-1-1.noarch"},
		{"nested", "root a\na-1-1.noarch requires ((x and nope) or (lib with cap = 2))" + packages, "a-1-1.noarch root\ny-1-1.noarch"},
		{"parentheses in names", "root a\na-1-1.noarch requires (libx.so.1()(64bit) or x)\nb-1-1.noarch provides libx.so.1()(64bit)" + packages, "a-1-1.noarch root\nb-1-1.noarch"},
		{"conflict unless", "root a\nroot x\na-1-1.noarch conflicts (x unless y)" + packages, "a-1-1.noarch root\nx-1-1.noarch root\ny-1-1.noarch"},
		{"conflict with both", "root a\nroot x\na-1-1.noarch requires lib ; conflicts (x and y)" + packages, "a-1-1.noarch root\nx-1-1.noarch root\nz-1-1.noarch"},
	})
}

func TestWeak(t *testing.T) {
	t.Parallel()
	const packages = `
		a-1-1.noarch recommends r
		r-1-1.noarch requires q
		q-1-1.noarch
		s-1-1.noarch supplements a
		t-1-1.noarch supplements nope
		`
	runCases(t, []solveCase{
		{"off", "root a" + packages, "a-1-1.noarch root"},
		{"on", "weak\nroot a" + packages, "a-1-1.noarch root\nr-1-1.noarch weak\ns-1-1.noarch weak\nq-1-1.noarch"},
		{"left out where impossible", "weak\nroot a\na-1-1.noarch recommends r, nope\nr-1-1.noarch requires missing", "a-1-1.noarch root"},
		{"left out where it conflicts", "weak\nroot a\na-1-1.noarch recommends r\nr-1-1.noarch requires q\nq-1-1.noarch conflicts a", "a-1-1.noarch root"},
	})
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	runCases(t, []solveCase{
		{"installed satisfies", "root a\ninstalled x-1-1.noarch\na-1-1.noarch requires x, libx\nx-2-1.noarch provides libx", "a-1-1.noarch root"},
		{"an unknown package provides its name", "root a\ninstalled x-1-1.noarch\na-1-1.noarch requires x >= 1", "a-1-1.noarch root"},
		{"installed is too old", "root a\ninstalled x-1-1.noarch\na-1-1.noarch requires x >= 2\nx-2-1.noarch", "a-1-1.noarch root\nx-2-1.noarch upgrades x-1-1.noarch"},
		{"never downgraded", `
			root a
			installed x-3-1.noarch
			a-2-1.noarch requires x < 3
			a-1-1.noarch
			x-2-1.noarch`, `
			a-1-1.noarch root
			warning: a: chose a-1-1.noarch, because a-2-1.noarch cannot be installed with the rest`},
		{"a newer root upgrades", "root x\ninstalled x-1-1.noarch\nx-1-1.noarch\nx-2-1.noarch", "x-2-1.noarch root upgrades x-1-1.noarch"},
		{"an installed root is packed", "root x-1-1\ninstalled x-1-1.noarch\nx-1-1.noarch requires y\nx-2-1.noarch\ny-1-1.noarch", "x-1-1.noarch root\ny-1-1.noarch"},
		{"a root nobody holds", "root x\ninstalled x-3-1.noarch\nx-1-1.noarch", `
			warning: x is not packed: the baseline has x-3-1.noarch, and the repositories have nothing newer`},
		{"an upgrade breaks a sibling", `
			root a
			installed lib-1-1.x86_64
			installed tool-1-1.x86_64
			a-1-1.noarch requires lib = 2-1
			lib-2-1.x86_64
			tool-2-1.x86_64 requires lib = 2-1`, "a-1-1.noarch root\nlib-2-1.x86_64 upgrades lib-1-1.x86_64\ntool-2-1.x86_64 upgrades tool-1-1.x86_64"},
		{"an upgrade breaks a chain", `
			root a
			installed lib-1-1.x86_64
			installed mid-1-1.x86_64
			installed top-1-1.x86_64
			a-1-1.noarch requires lib = 2-1
			lib-2-1.x86_64
			mid-2-1.x86_64 requires lib = 2-1
			top-2-1.x86_64 requires mid = 2-1`, "a-1-1.noarch root\nlib-2-1.x86_64 upgrades lib-1-1.x86_64\nmid-2-1.x86_64 upgrades mid-1-1.x86_64\ntop-2-1.x86_64 upgrades top-1-1.x86_64"},
		{"the newest would break a sibling for good", `
			root a
			installed lib-1-1.x86_64
			installed tool-1-1.x86_64
			a-1-1.noarch requires lib >= 1.5
			lib-3-1.x86_64
			lib-2-1.x86_64 provides api = 1
			lib-1-1.x86_64 provides api = 1
			tool-1-1.x86_64 requires api = 1`, "a-1-1.noarch root\nlib-2-1.x86_64 upgrades lib-1-1.x86_64"},
		{"a lost provider is replaced", `
			root a
			installed lib-1-1.x86_64
			installed tool-1-1.x86_64
			a-1-1.noarch requires lib >= 2
			lib-2-1.x86_64
			lib-1-1.x86_64 provides api = 1
			tool-1-1.x86_64 requires api = 1
			compat-lib-1-1.x86_64 provides api = 1`, "a-1-1.noarch root\nlib-2-1.x86_64 upgrades lib-1-1.x86_64\ncompat-lib-1-1.x86_64"},
		{"an upgrade that became redundant", `
			root a
			installed x-1-1.noarch
			a-1-1.noarch requires cap, y, /bin/x
			y-1-1.noarch provides cap = 1
			x-2-1.noarch provides cap = 2 ; file /bin/x
			x-1-1.noarch file /bin/x`, "a-1-1.noarch root\ny-1-1.noarch"},
		{"what was broken before is left alone", "root a\ninstalled x-1-1.noarch\nx-1-1.noarch requires nowhere\na-1-1.noarch requires x", "a-1-1.noarch root"},
		{"an obsoleted one is replaced", "root a\ninstalled old-1-1.noarch\ninstalled user-1-1.noarch\na-1-1.noarch obsoletes old ; provides old = 9\nuser-1-1.noarch requires old\nold-1-1.noarch", `
			a-1-1.noarch root upgrades old-1-1.noarch obsoletes old-1-1.noarch`},
		{"an obsoleted one is missed", `
			root a
			installed old-1-1.noarch
			installed user-1-1.noarch
			a-1-1.noarch obsoletes old
			user-1-1.noarch requires old
			user-2-1.noarch
			old-1-1.noarch`, "a-1-1.noarch root upgrades old-1-1.noarch obsoletes old-1-1.noarch\nuser-2-1.noarch upgrades user-1-1.noarch"},
		{"a conflict is resolved by an upgrade", "root a\ninstalled x-1-1.noarch\na-1-1.noarch conflicts x < 2\nx-2-1.noarch", "a-1-1.noarch root\nx-2-1.noarch upgrades x-1-1.noarch"},
		{"a kernel stands beside the installed one", "root kernel\ninstalled kernel-1-1.x86_64\nkernel-2-1.x86_64", "kernel-2-1.x86_64 root"},
		{"multilib is upgraded in step", `
			root a
			installed lib-1-1.x86_64
			installed lib-1-1.i686
			a-1-1.noarch requires lib >= 2
			lib-2-1.x86_64
			lib-2-1.i686`, "a-1-1.noarch root\nlib-2-1.x86_64 upgrades lib-1-1.x86_64\nlib-2-1.i686 upgrades lib-1-1.i686"},
		{"public keys are no packages", "root gpg-pubkey\ninstalled gpg-pubkey-1-1.(none)\na-1-1.noarch", "! no package gpg-pubkey"},
	})
}

func TestUnsolvable(t *testing.T) {
	t.Parallel()
	runCases(t, []solveCase{
		{"nothing provides", "root docker-ce\ndocker-ce-18-3.x86_64 requires container-selinux >= 2.9", `
			! docker-ce-18-3.x86_64 requires container-selinux >= 2.9, and nothing provides it`},
		{"only an older one", "root docker-ce\ndocker-ce-18-3.x86_64 requires container-selinux >= 2:2.9\ncontainer-selinux-2:2.1-1.noarch\ncontainer-selinux-1.7-1.noarch", `
			! docker-ce-18-3.x86_64 requires container-selinux >= 2:2.9, and nothing provides it; the repositories hold container-selinux 1.7-1, 2:2.1-1`},
		{"no such version", "root kubeadm-1.17.9-0\nkubeadm-1.17.0-0.x86_64\nkubeadm-1.17.1-0.x86_64\nkubeadm-1.17.2-0.x86_64", `
			! no package kubeadm-1.17.9-0; the repositories hold kubeadm 1.17.0-0, 1.17.1-0, 1.17.2-0`},
		{"several at once", "root kubeamd\nroot ipset\nroot foo\nkubeadm-1-1.x86_64\nfoo-1-1.x86_64", `
			! no package kubeamd; the repositories hold kubeadm
			! no package ipset`},
		{"other architecture", "root foo\nfoo-1-1.aarch64", "! no package foo: foo-1-1.aarch64 is for aarch64"},
		{"all of another architecture", "root foo-1-1\nroot baz\nroot bar\nfoo-1-1.aarch64\nbar-2-1.aarch64", `
			! no packages for x86_64: the repositories hold foo-1-1, bar for aarch64
			! no package baz`},
		{"excluded", "root foo\nexclude foo\nfoo-1-1.noarch", `! no package foo: foo-1-1.noarch is excluded by "foo"`},
		{"excluded requirement", "root a\nexclude foo\nfoo-1-1.noarch\na-1-1.noarch requires foo", `
			! a-1-1.noarch requires foo, and nothing provides it; foo-1-1.noarch is excluded by "foo"`},
		{"two versions", "root a\nroot b\na-1-1.noarch requires z = 1\nb-1-1.noarch requires z = 2\nz-1-1.noarch\nz-2-1.noarch\nc-1-1.noarch requires nope", `
			! a-1-1.noarch requires z = 1, which only z-1-1.noarch provides
			! b-1-1.noarch requires z = 2, which only z-2-1.noarch provides
			! only one version of z can be installed: z-1-1.noarch (wanted by a-1-1.noarch: z = 1) or z-2-1.noarch (wanted by b-1-1.noarch: z = 2)`},
		{"two pins", "root z-1-1\nroot z-2-1\nz-1-1.noarch\nz-2-1.noarch", `
			! only one version of z can be installed: z-1-1.noarch (wanted as z-1-1) or z-2-1.noarch (wanted as z-2-1)`},
		{"conflict", "root a\nroot b\na-1-1.noarch conflicts b\nb-1-1.noarch", "! a-1-1.noarch conflicts with b-1-1.noarch"},
		{"obsoletes", "root a\nroot b\na-1-1.noarch obsoletes b\nb-1-1.noarch", "! a-1-1.noarch obsoletes b-1-1.noarch"},
		{"conflict with an installed one", "root a\ninstalled docker-1-1.noarch\na-1-1.noarch conflicts docker", `
			! a-1-1.noarch conflicts with installed docker-1-1.noarch
			! installed docker-1-1.noarch cannot be removed, and the repositories have nothing newer`},
		{"a downgrade", "root a-1-1\ninstalled a-2-1.noarch\na-1-1.noarch", "! a-1-1.noarch would downgrade the installed a-2-1.noarch"},
		{"a sibling has no upgrade", `
			root a
			installed lib-1-1.noarch
			installed tool-1-1.noarch
			a-1-1.noarch requires lib = 2-1
			lib-2-1.noarch
			tool-1-1.noarch requires lib = 1-1`, `
			! a-1-1.noarch requires lib = 2-1, which only lib-2-1.noarch provides
			! installed tool-1-1.noarch cannot be removed, and the repositories have nothing newer
			! installed tool-1-1.noarch requires lib = 1-1, which only installed lib-1-1.noarch provides
			! only one version of lib can be installed: lib-2-1.noarch (wanted by a-1-1.noarch: lib = 2-1) or installed lib-1-1.noarch (wanted by installed tool-1-1.noarch: lib = 1-1)`},
		{"many versions, one reason", "root a\na-1-1.noarch requires nope\na-2-1.noarch requires nope\na-3-1.noarch requires nope", `
			! a-3-1.noarch, a-2-1.noarch and a-1-1.noarch require nope, and nothing provides it`},
		{"a baseline known by name only", "root a\ninstalled x-1-1.noarch\na-1-1.noarch requires libx.so.1", `
			! a-1-1.noarch requires libx.so.1, and nothing provides it; the capabilities of the installed x-1-1.noarch are unknown, as no repository has it`},
		{"a package's name, beside such a baseline", "root a\ninstalled x-1-1.noarch\na-1-1.noarch requires docker-cli >= 1", `
			! a-1-1.noarch requires docker-cli >= 1, and nothing provides it`},
		{"malformed rich dependency", "root a\na-1-1.noarch requires (x and)", "! a-1-1.noarch requires (x and), and nothing provides it"},
	})
}

func TestProblemErrors(t *testing.T) {
	t.Parallel()
	runCases(t, []solveCase{
		{"no architecture", "arch \nroot a\na-1-1.noarch", "error: cannot solve package dependencies: no target architecture given"},
		{"bad exclude", "exclude [\nroot a\na-1-1.noarch", `error: cannot read exclude "[": syntax error in pattern`},
	})
	if _, err := Solve(Problem{Arch: "x86_64", Candidates: []Candidate{{Repo: "r", ID: 7}}}); err == nil {
		t.Error("a candidate without metadata was accepted")
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	s, err := Solve(parseProblem(t, `
		root a
		installed lib-1-1.x86_64
		installed tool-1-1.x86_64
		a-1-1.noarch requires b
		b-1-1.noarch requires lib = 2-1
		lib-2-1.x86_64
		tool-2-1.x86_64 requires lib = 2-1`))
	if err != nil {
		t.Fatal(err)
	}
	chain, ok := chainTo(s, "tool")
	var got []string
	for _, l := range chain {
		got = append(got, l.Package.String()+" <- "+l.Reason.String())
	}
	want := []string{
		"a-1-1.noarch <- root",
		"b-1-1.noarch <- a-1-1.noarch: b",
		"lib-2-1.x86_64 <- b-1-1.noarch: lib = 2-1",
		"tool-2-1.x86_64 <- lib-2-1.x86_64: lib = 1-1 of the installed tool-1-1.x86_64",
	}
	if !ok || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, ok)
	}
	for _, name := range []string{"lib-2-1", "lib-2-1.x86_64", "lib-2-1.x86_64.rpm", "lib.x86_64"} {
		if _, ok := chainTo(s, name); !ok {
			t.Errorf("no chain to %s", name)
		}
	}
	if _, ok := chainTo(s, "libx"); ok {
		t.Error("a chain to what is not there")
	}
}

// TestUpgradeCascade upgrades a chain of 400 installed packages, each of which
// requires the one before in its own version.
func TestUpgradeCascade(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("root a\na-1-1.noarch requires n0 = 2-1\ninstalled n0-1-1.noarch\nn0-2-1.noarch\n")
	for i := 1; i < 400; i++ {
		fmt.Fprintf(&b, "n%d-2-1.noarch requires n%d = 2-1\ninstalled n%d-1-1.noarch\n", i, i-1, i)
	}
	s, err := Solve(parseProblem(t, b.String()))
	if err != nil || len(s.Chosen) != 401 {
		t.Fatalf("%d chosen, %v", len(s.Chosen), err)
	}
	if chain, ok := chainTo(s, "n399"); !ok || len(chain) != 401 {
		t.Errorf("a chain of %d, %v", len(chain), ok)
	}
}
