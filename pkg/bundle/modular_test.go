package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

const modulesYAML = `---
document: modulemd
version: 2
data: {name: tool, stream: "1", version: 1, context: aaaa, arch: noarch, artifacts: {rpms: ["tool-0:1.0-1.noarch"]}}
---
document: modulemd
version: 2
data: {name: tool, stream: "2", version: 1, context: bbbb, arch: noarch, artifacts: {rpms: ["tool-0:2.0-1.noarch"]}}
---
document: modulemd-defaults
version: 1
data: {module: tool, stream: "1"}
`

// TestModules: of modular packages those of the default stream are taken, or of
// the one that the manifest chooses, and lock says of which.
func TestModules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeRepo(t, dir, nil,
		rpmtest.Spec{Name: "app", Version: "1", Requires: []nevra.Relation{{Name: "tool"}}},
		rpmtest.Spec{Name: "tool", Version: "1.0"}, rpmtest.Spec{Name: "tool", Version: "2.0"}, rpmtest.Spec{Name: "tool", Version: "3.0"},
		rpmtest.Spec{Name: "odd", Version: "1", Release: "1.module_el8.5"})
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.CopyFS(plain, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(modulesYAML))
	repomd := filepath.Join(dir, "repodata", "repomd.xml")
	text, err := os.ReadFile(repomd)
	if err != nil {
		t.Fatal(err)
	}
	data := fmt.Sprintf(`<data type="modules"><checksum type="sha256">%s</checksum><location href="repodata/modules.yaml"/></data></repomd>`, hex.EncodeToString(sum[:]))
	for path, content := range map[string]string{repomd: strings.Replace(string(text), "</repomd>", data, 1), filepath.Join(dir, "repodata", "modules.yaml"): modulesYAML} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, dir, family string
		modules, roots    []string
		want, said        string
	}{
		{"the default stream", dir, "el8", nil, []string{"app"}, "app-1-1.noarch tool-1.0-1.noarch", "tool-1.0-1.noarch is from the module stream tool:1 (default); other streams: 2; to choose one, in the manifest: packages.modules: [tool:2]"},
		{"a chosen stream", dir, "el8", []string{"tool:2"}, []string{"app"}, "app-1-1.noarch tool-2.0-1.noarch", "is from the module stream tool:2 (chosen)"},
		{"a stream that is not there", dir, "el8", []string{"tool:9"}, []string{"app"}, "", "cannot choose the module stream tool:9"},
		{"a root of another stream", dir, "el8", nil, []string{"tool-2.0"}, "", "write tool:2 under packages.modules"},
		{"EL7 knows no modules", dir, "el7", nil, []string{"app"}, "app-1-1.noarch tool-3.0-1.noarch", ""},
		{"no modules.yaml", plain, "el8", nil, []string{"odd"}, "odd-1-1.module_el8.5.noarch", "repository r has no modules.yaml that names it"},
		{"a choice without modules.yaml", plain, "el8", []string{"tool:1"}, []string{"app"}, "", "cannot choose the module stream tool:1"},
	} {
		m, s, warnings := rpmSources(t, c.dir, c.roots...)
		m.Platform.Family, m.Packages.Modules = c.family, c.modules
		locked, _, err := lockPackages(t.Context(), m, s)
		said := strings.Join(*warnings, "; ")
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error()+hint.Of(err), c.said) {
				t.Errorf("%s: %v, want %q", c.name, err, c.said)
			}
			continue
		}
		var got []string
		for _, p := range locked {
			got = append(got, p.NEVRA.String())
		}
		if err != nil || strings.Join(got, " ") != c.want || !strings.Contains(said, c.said) || (said == "") != (c.said == "") {
			t.Errorf("%s: %q, %v, said %q, want %s and %q", c.name, got, err, said, c.want, c.said)
		}
	}
}
