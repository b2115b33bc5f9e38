package manifest

import (
	"fmt"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
)

func sheet(packages ...string) string {
	return `{"apiVersion":"kubecrate/v1","kind":"Facts","hostname":"a","packages":["` + strings.Join(packages, `","`) + `"]}`
}

// TestBaselineOfHosts: what all hosts have, in the lowest version among them.
func TestBaselineOfHosts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.json", sheet("bash-4.2.46-30.el7.x86_64", "kernel-3.10.0-862.el7.x86_64", "kernel-3.10.0-1160.el7.x86_64", "tar-2:1.26-34.el7.x86_64", "only-1-1.noarch", "zlib-1-1.x86_64"))
	write(t, dir, "b.json", " \n"+sheet("bash-4.2.46-34.el7.x86_64", "kernel-3.10.0-957.el7.x86_64", "tar-9:0.1-1.el7.x86_64", "zlib-1-1.i686"))
	write(t, dir, "c.txt", "bash-0:4.2.46-9.el7.x86_64\nkernel-3.10.0-1160.el7.x86_64\ntar-2:1.26-34.el7.x86_64\n")
	all := "bash-4.2.46-30.el7.x86_64 kernel-3.10.0-957.el7.x86_64 tar-2:1.26-34.el7.x86_64"
	for names, want := range map[string]string{
		"a.json,b.json":          all,
		"b.json, a.json":         all,
		"a.json,b.json,c.txt":    strings.Replace(all, "4.2.46-30", "4.2.46-9", 1),
		"a.json,c.txt":           "bash-4.2.46-9.el7.x86_64 kernel-3.10.0-1160.el7.x86_64 tar-2:1.26-34.el7.x86_64",
		"c.txt":                  "bash-0:4.2.46-9.el7.x86_64 kernel-3.10.0-1160.el7.x86_64 tar-2:1.26-34.el7.x86_64",
		"centos-7-minimal,c.txt": "bash-4.2.46-9.el7.x86_64 kernel-3.10.0-862.el7.x86_64 tar-2:1.26-34.el7.x86_64",
	} {
		got, digest, err := Baseline(names, dir)
		if err != nil || len(digest) != 64 || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", names, got, err)
		}
	}
	one, digest, err := Baseline("a.json", dir)
	if err != nil || len(one) != 6 {
		t.Errorf("%v, %v", one, err)
	}
	write(t, dir, "a.json", strings.Replace(sheet(one...), `"hostname":"a"`, `"hostname":"a","time":"2020-05-01T12:00:00Z"`, 1))
	if _, again, err := Baseline("a.json", dir); err != nil || again != digest {
		t.Errorf("the same packages at another time: %s and %s, %v", digest, again, err)
	}
	write(t, dir, "a.json", sheet(one[1:]...))
	if _, again, err := Baseline("a.json", dir); err != nil || again == digest {
		t.Errorf("another list: %s, %v", again, err)
	}
	for name, v := range map[string][2]string{
		"none.json":   {strings.Replace(sheet(), `[""]`, "[]", 1), "the host report has no packages"},
		"nevra.json":  {sheet("bash-1-1.x86_64", "bash"), `package 2, "bash", is not a NEVRA`},
		"kind.json":   {`{"apiVersion":"kubecrate/v1","kind":"Lock"}`, "not a host report"},
		"half.json":   {"{", "unexpected EOF"},
		"signed.json": {strings.Replace(sheet("bash-1-1.x86_64"), "{", `{"key":"x","signature":"y",`, 1), "invalid signature"},
	} {
		write(t, dir, name, v[0])
		for _, names := range []string{name, "b.json," + name} {
			_, _, err := Baseline(names, dir)
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), v[1]) || !strings.Contains(hint.Of(err), "inventory --baseline") {
				t.Errorf("%s: %v (%s)", names, err, hint.Of(err))
			}
		}
	}
	write(t, dir, "big.json", "{"+strings.Repeat(" ", maxBaseline))
	if _, _, err := Baseline("big.json", dir); err == nil || !strings.Contains(err.Error(), "big.json is larger") {
		t.Errorf("a large one: %v", err)
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("a-package-with-a-long-name-%d-2:1.18.8-1.el7_9.x86_64", i))
	}
	write(t, dir, "many.json", sheet(many...))
	if got, _, err := Baseline("many.json", dir); err != nil || len(got) != len(many) {
		t.Errorf("%d packages, %v", len(got), err)
	}
}

// TestOverrideBaseline: files of the command line are relative to where one is, and
// the manifest in the archive says their names alone.
func TestOverrideBaseline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := write(t, dir, "a.json", sheet("bash-4.2.46-30.el7.x86_64"))
	b := write(t, dir, "b.json", sheet("bash-4.2.46-34.el7.x86_64"))
	m, err := Load(DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	before := m.Digest()
	if err := m.Override(Overrides{Baseline: []string{b, a}}); err != nil {
		t.Fatal(err)
	}
	if err := m.Override(Overrides{Set: []string{"name=x"}}); err != nil { // it stays
		t.Fatal(err)
	}
	got, _, err := Baseline(m.Packages.Baseline, m.Dir())
	if err != nil || len(got) != 1 || got[0] != "bash-4.2.46-30.el7.x86_64" || m.Digest() == before {
		t.Errorf("%v, %v", got, err)
	}
	text, err := m.Marshal()
	if err != nil || strings.Contains(string(text), dir) || !strings.Contains(string(text), "baseline: a.json,b.json\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if back, err := Parse("bundle.yaml", text); err != nil || back.Digest() != m.Digest() {
		t.Errorf("read again: %v", err)
	}
	if err := m.Override(Overrides{Baseline: []string{"none"}}); err != nil || m.Packages.Baseline != "none" {
		t.Errorf("none: %s, %v", m.Packages.Baseline, err)
	}
	for _, bad := range [][]string{{""}, {"a,b"}, {"none", a}, {"https://x.example/list"}} {
		if err := m.Override(Overrides{Baseline: bad}); err == nil || m.Packages.Baseline != "none" {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func FuzzBaseline(f *testing.F) {
	f.Add([]byte(sheet("bash-4.2.46-30.el7.x86_64")))
	f.Add([]byte("# x\nbash-4.2.46-30.el7.x86_64\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func(string, []byte) ([]string, error){readList, readHostReport} {
			list, err := read("x", text)
			if err != nil {
				continue
			}
			for _, n := range list {
				if !isNEVRA(n) {
					t.Errorf("%q", n)
				}
			}
			both, err := common([][]string{list, list})
			if err != nil || len(both) > len(list) {
				t.Errorf("%d of %d, %v", len(both), len(list), err)
			}
		}
	})
}
