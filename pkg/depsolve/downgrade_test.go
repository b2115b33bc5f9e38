package depsolve

import "testing"

// TestDowngrades: only what is older than the installed package of its name, in
// whatever way its version is written, would downgrade it.
func TestDowngrades(t *testing.T) {
	t.Parallel()
	u, err := newUniverse(parseProblem(t, `
		installed lib-0:2-1.noarch
		lib-1-9.x86_64
		lib-2-0.x86_64
		lib-2-1.x86_64
		lib-2.0-1.x86_64
		lib-3-1.x86_64
		lib-1:1-1.x86_64
		other-1-1.x86_64`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"lib-1-9.x86_64": true, "lib-2-0.x86_64": true}
	for _, p := range u.pkgs {
		if got := p.older != nil; got != want[p.meta.String()] {
			t.Errorf("%s would downgrade: %v", p.meta.NEVRA, got)
		}
	}
}
