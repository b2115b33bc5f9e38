package rpm_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

func TestVercmp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"1.0", "1.0", 0},
		{"1.0", "1_0", 0},
		{"1.0", "1..0", 0},
		{"1.0", "1.0.", 0},
		{"1.010", "1.10", 0},
		{"1.9", "1.10", -1},
		{"1.0", "1.0.1", -1},
		{"1a", "1", 1},
		{"1.a", "1.1", -1},
		{"a", "1", -1},
		{"A", "a", -1},
		{"99999999999999999999", "100000000000000000000", -1},
		{"1.0~rc1", "1.0", -1},
		{"1.0~rc1", "1.0~rc2", -1},
		{"1.0~rc1~git123", "1.0~rc1", -1},
		{"~", "", -1},
		{"1.0^", "1.0", 1},
		{"1.0^git1", "1.0^git2", -1},
		{"1.0^git1", "1.01", -1},
		{"1.0^20160101", "1.0.1", -1},
		{"1.0^20160102", "1.0^20160101^git1", 1},
		{"1.0~rc1^git1", "1.0~rc1", 1},
		{"1.0^git1~pre", "1.0^git1", -1},
		{"18.06.3.ce", "18.06.1.ce", 1},
		{"3.el7", "3.el7_9", -1},
		{"2.5", "2.5-", 0},
	} {
		if got := rpm.Vercmp(c.a, c.b); got != c.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := rpm.Vercmp(c.b, c.a); got != -c.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestVercmpTable(t *testing.T) {
	t.Parallel()
	var pairs []struct {
		A, B   string
		Expect int
	}
	path := filepath.Join(sharedData(t), "rpms", "cavaliergopher", "vercmp.json")
	if err := json.Unmarshal(readFile(t, path), &pairs); err != nil {
		t.Fatal(err)
	}
	if len(pairs) < 1000 {
		t.Fatalf("only %d pairs in %s", len(pairs), path)
	}
	for _, p := range pairs {
		if got := rpm.Vercmp(p.A, p.B); got != p.Expect {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", p.A, p.B, got, p.Expect)
		}
	}
}

// TestVercmpAgainstRPM asks rpm itself about random pairs made of what makes
// versions hard.
func TestVercmpAgainstRPM(t *testing.T) {
	t.Parallel()
	needTool(t, "rpm")
	atoms := []string{"0", "1", "2", "10", "01", "007", "20160101", "a", "b", "rc", "A", "el7", "~", "^", "~", "^", ".", ".", "_", "+"}
	rnd := rand.New(rand.NewPCG(7, 11))
	version := func() string {
		var b strings.Builder
		for range 1 + rnd.IntN(6) { // rpm takes no empty version here
			b.WriteString(atoms[rnd.IntN(len(atoms))])
		}
		return b.String()
	}
	const pairs = 5000
	as, bs := make([]string, pairs), make([]string, pairs)
	var program strings.Builder
	for i := range pairs {
		as[i], bs[i] = version(), version()
		if i%3 == 0 { // near each other, so that more is decided late
			bs[i] = as[i] + atoms[rnd.IntN(len(atoms))]
		}
		fmt.Fprintf(&program, "print(rpm.vercmp('%s','%s')..' ')\n", as[i], bs[i])
	}
	script := filepath.Join(t.TempDir(), "pairs.lua")
	if err := os.WriteFile(script, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("rpm", "--eval", "%{lua:dofile('"+script+"')}").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	answers := strings.Fields(string(out))
	if len(answers) != pairs {
		t.Fatalf("rpm gave %d answers for %d pairs", len(answers), pairs)
	}
	for i, want := range answers {
		if got := fmt.Sprint(rpm.Vercmp(as[i], bs[i])); got != want {
			t.Errorf("Vercmp(%q, %q) = %s, rpm says %s", as[i], bs[i], got, want)
		}
	}
}

func TestParseEVR(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want rpm.EVR
		back string
	}{
		{"1.0", rpm.EVR{Version: "1.0"}, "1.0"},
		{"1.0-2", rpm.EVR{Version: "1.0", Release: "2"}, "1.0-2"},
		{"0:1.0-2", rpm.EVR{Epoch: "0", Version: "1.0", Release: "2"}, "1.0-2"},
		{"3:1.0", rpm.EVR{Epoch: "3", Version: "1.0"}, "3:1.0"},
		{":1.0", rpm.EVR{Epoch: "0", Version: "1.0"}, "1.0"},
		{"a:1.0", rpm.EVR{Version: "a:1.0"}, "a:1.0"},
		{"1-2-3", rpm.EVR{Version: "1-2", Release: "3"}, "1-2-3"},
		{"", rpm.EVR{}, ""},
	} {
		got := rpm.ParseEVR(c.text)
		if got != c.want || got.String() != c.back {
			t.Errorf("ParseEVR(%q) = %+v %q, want %+v %q", c.text, got, got, c.want, c.back)
		}
	}
}

func TestParseNEVRA(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"docker-ce-3:18.06.3.ce-3.el7.x86_64", "kubeadm-1.17.4-0.x86_64", "python-IPy-0.75-6.el7.noarch",
	} {
		n, err := rpm.ParseNEVRA(text)
		if err != nil || n.String() != text {
			t.Errorf("ParseNEVRA(%q) = %v, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "a", "a.b", "a-1.x86_64", "-1-1.x86_64", "a-x:1-1.noarch", "a-1-1.", "a-1-.x86_64"} {
		if n, err := rpm.ParseNEVRA(text); err == nil {
			t.Errorf("ParseNEVRA(%q) = %v, want an error", text, n)
		}
	}
}

// TestMatchesAgainstRPM gives rpm one package that provides and one that
// requires every combination of operator and version, and compares what rpm
// says is missing with what Matches says.
func TestMatchesAgainstRPM(t *testing.T) {
	t.Parallel()
	needTool(t, "rpm")
	ops := []rpm.Op{rpm.Any, rpm.LT, rpm.LE, rpm.EQ, rpm.GE, rpm.GT}
	versions := []string{"1", "1-1", "1-2", "2", "1:1", "0:1-1", "1~a", "1^b-1"}
	var provides, requires []rpm.Relation
	for _, provideOp := range ops {
		for _, provided := range versions {
			for _, requireOp := range ops {
				for _, required := range versions {
					name := fmt.Sprintf("cap%d", len(provides))
					provides = append(provides, rpm.Relation{Name: name, Op: provideOp, EVR: rpm.ParseEVR(provided)})
					requires = append(requires, rpm.Relation{Name: name, Op: requireOp, EVR: rpm.ParseEVR(required)})
				}
			}
		}
	}
	dir := t.TempDir()
	writeRPM(t, dir+"/p.rpm", rpmtest.Spec{Name: "p", Version: "1", Provides: provides}, nil)
	writeRPM(t, dir+"/r.rpm", rpmtest.Spec{Name: "r", Version: "1", Requires: requires}, nil)
	// rpm exits with a failure: it lists what is missing.
	out, err := exec.Command("rpm", "--root", dir, "-i", "--test", dir+"/p.rpm", dir+"/r.rpm").CombinedOutput()
	if err == nil {
		t.Fatalf("rpm found nothing missing: %s", out)
	}
	missing := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 && strings.HasPrefix(fields[0], "cap") {
			missing[fields[0]] = true
		}
	}
	if len(missing) < 100 {
		t.Fatalf("rpm says that only %d of %d are missing: %s", len(missing), len(requires), out)
	}
	for i, r := range requires {
		if got := r.Matches(provides[i]); got == missing[r.Name] {
			t.Errorf("%q against provided %q: %v, rpm says %v", r, provides[i], got, !missing[r.Name])
		}
	}
	if requires[0].Matches(provides[1]) {
		t.Errorf("%q matches %q", requires[0], provides[1])
	}
}

func writeRPM(t testing.TB, path string, spec rpmtest.Spec, signer *rpmtest.Signer) {
	t.Helper()
	b, err := rpmtest.Build(spec, signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
