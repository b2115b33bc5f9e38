package nevra_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

func TestVercmp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.00", 0}, {"1.0", "1_0", 0}, {"1.0", "1", 1}, {"1.10", "1.9", 1}, {"010", "9", 1},
		{"1.0a", "1.0", 1}, {"1.a", "1.1", -1}, {"a", "b", -1}, {"a", "A", 1}, {"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1},
		{"1.0~~", "1.0~", -1}, {"1.0^", "1.0", 1}, {"1.0^git1", "1.0.1", -1}, {"1.0^git1~pre", "1.0^git1", -1}, {"", "", 0},
		{"", "1", -1}, {"2.17.18.06.3.ce", "2.17", 1}, {"9223372036854775808", "9223372036854775807", 1}, {"1.0", "1..0", 0},
		{"1.0", "1.0.", 0}, {"1.010", "1.10", 0}, {"1.9", "1.10", -1}, {"1.0", "1.0.1", -1}, {"1a", "1", 1}, {"a", "1", -1},
		{"A", "a", -1}, {"99999999999999999999", "100000000000000000000", -1}, {"1.0~rc1~git123", "1.0~rc1", -1}, {"~", "", -1},
		{"1.0^git1", "1.0^git2", -1}, {"1.0^git1", "1.01", -1}, {"1.0^20160101", "1.0.1", -1}, {"1.0^20160102", "1.0^20160101^git1", 1},
		{"1.0~rc1^git1", "1.0~rc1", 1}, {"18.06.3.ce", "18.06.1.ce", 1}, {"3.el7", "3.el7_9", -1}, {"2.5", "2.5-", 0},
	} {
		if got := nevra.Vercmp(c.a, c.b); got != c.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := nevra.Vercmp(c.b, c.a); got != -c.want {
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
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &pairs); err != nil {
		t.Fatal(err)
	}
	if len(pairs) < 1000 {
		t.Fatalf("only %d pairs in %s", len(pairs), path)
	}
	for _, p := range pairs {
		if got := nevra.Vercmp(p.A, p.B); got != p.Expect {
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
		if got := fmt.Sprint(nevra.Vercmp(as[i], bs[i])); got != want {
			t.Errorf("Vercmp(%q, %q) = %s, rpm says %s", as[i], bs[i], got, want)
		}
	}
}

// TestMatchesAgainstRPM gives rpm one package that provides and one that
// requires every combination of operator and version, and compares what rpm
// says is missing with what Matches says.
func TestMatchesAgainstRPM(t *testing.T) {
	t.Parallel()
	needTool(t, "rpm")
	ops := []nevra.Op{nevra.Any, nevra.LT, nevra.LE, nevra.EQ, nevra.GE, nevra.GT}
	versions := []string{"1", "1-1", "1-2", "2", "1:1", "0:1-1", "1~a", "1^b-1"}
	var provides, requires []nevra.Relation
	for _, provideOp := range ops {
		for _, provided := range versions {
			for _, requireOp := range ops {
				for _, required := range versions {
					name := fmt.Sprintf("cap%d", len(provides))
					provides = append(provides, nevra.Relation{Name: name, Op: provideOp, EVR: nevra.ParseEVR(provided)})
					requires = append(requires, nevra.Relation{Name: name, Op: requireOp, EVR: nevra.ParseEVR(required)})
				}
			}
		}
	}
	dir := t.TempDir()
	writeRPM(t, dir+"/p.rpm", rpmtest.Spec{Name: "p", Version: "1", Provides: provides})
	writeRPM(t, dir+"/r.rpm", rpmtest.Spec{Name: "r", Version: "1", Requires: requires})
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

func writeRPM(t *testing.T, path string, spec rpmtest.Spec) {
	t.Helper()
	b, err := rpmtest.Build(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sharedData finds the real data beside the repository; tests that need it are
// skipped where it is absent.
func sharedData(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(filepath.Dir(root), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no shared data beside the repository")
	}
	return data
}

// needTool skips, or in the lab fails, when a program is missing.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("KUBECRATE_LAB") == "1" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
}
