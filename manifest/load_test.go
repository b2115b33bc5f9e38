package manifest

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestProfiles loads every embedded profile and holds its resolved form to a
// golden file.
func TestProfiles(t *testing.T) {
	list := Profiles()
	if len(list) == 0 || list[0].Name != DefaultProfile {
		t.Fatalf("profiles = %v", list)
	}
	for _, p := range list {
		m, err := Load(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		if m.Name != p.Name || p.Description == "" || m.Dir() != "." {
			t.Errorf("%+v: name %s, directory %s", p, m.Name, m.Dir())
		}
		if _, _, err := Baseline(m.Packages.Baseline, m.Dir()); err != nil {
			t.Error(err)
		}
		got, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, p.Name+".golden.yaml", got)
		back, err := Parse("back", got)
		if err != nil || back.Digest() != m.Digest() {
			t.Errorf("%s does not come back: %v", p.Name, err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs (go test ./manifest -update writes it anew):\n%s", file, got)
	}
}

// TestKeys reads the embedded keys: each repository of a profile checks
// signatures and pins exactly the primary keys it names.
func TestKeys(t *testing.T) {
	for _, p := range Profiles() {
		m, err := Load(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Packages.Repos {
			var held []string
			for _, k := range r.GPGKey {
				held = append(held, fingerprints(t, strings.TrimPrefix(k, embedded))...)
			}
			slices.Sort(held)
			pinned := slices.Sorted(slices.Values(r.Fingerprints))
			if !r.Checked() || !slices.Equal(held, pinned) {
				t.Errorf("%s of %s pins %v, its keys are %v", r.ID, p.Name, pinned, held)
			}
		}
	}
}

func fingerprints(t *testing.T, name string) []string {
	t.Helper()
	f, err := Keys().Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entities, err := openpgp.ReadArmoredKeyRing(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var all []string
	for _, e := range entities {
		all = append(all, strings.ToUpper(hexOf(e.PrimaryKey.Fingerprint)))
	}
	return all
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, x := range b {
		s.WriteByte(digits[x>>4])
		s.WriteByte(digits[x&15])
	}
	return s.String()
}

func TestBaseline(t *testing.T) {
	nevras, digest, err := Baseline("centos-7-minimal", ".")
	if err != nil || len(digest) != 64 {
		t.Fatal(digest, err)
	}
	if n := len(nevras); n < 280 || n > 310 {
		t.Errorf("%d packages", n)
	}
	if !slices.IsSorted(nevras) {
		t.Error("not sorted")
	}
	names := map[string]bool{}
	for _, n := range nevras {
		id, err := nevra.Parse(n)
		if err != nil {
			t.Fatal(err)
		}
		name := id.Name
		if names[name] {
			t.Errorf("%s is there twice", name)
		}
		names[name] = true
	}
	// What a minimal 7.5 has, and what closures of docker-ce on such hosts install.
	for _, has := range []string{"policycoreutils-2.5-22.el7.x86_64", "audit-libs-2.8.1-3.el7.x86_64", "device-mapper-libs-7:1.02.146-4.el7.x86_64", "iptables-1.4.21-24.el7.x86_64", "tar-2:1.26-34.el7.x86_64", "kernel-3.10.0-862.el7.x86_64", "ebtables-2.0.10-16.el7.x86_64"} {
		if !slices.Contains(nevras, has) {
			t.Errorf("%s is not there", has)
		}
	}
	for _, not := range []string{"docker-ce", "container-selinux", "libcgroup", "libseccomp", "libtool-ltdl", "policycoreutils-python", "checkpolicy", "setools-libs", "python-IPy", "audit-libs-python", "libsemanage-python", "conntrack-tools", "socat", "ipvsadm", "chrony"} {
		if names[not] {
			t.Errorf("%s is there, although minimal hosts had to install it", not)
		}
	}

	dir := t.TempDir()
	write(t, dir, "host.txt", "# rpm -qa\nbash-4.2.46-30.el7.x86_64\n\ngpg-pubkey-f4a80eb5-53a7ff4b\n tar-2:1.26-34.el7.x86_64 # epoch\n")
	write(t, dir, "bad.txt", "bash-4.2.46-30.el7.x86_64\nbash\n")
	nevras, _, err = Baseline("host.txt", dir)
	if err != nil || !slices.Equal(nevras, []string{"bash-4.2.46-30.el7.x86_64", "tar-2:1.26-34.el7.x86_64"}) {
		t.Errorf("got %v, %v", nevras, err)
	}
	if nevras, digest, err := Baseline("none", dir); nevras != nil || digest != "none" || err != nil {
		t.Errorf("none gives %v, %s, %v", nevras, digest, err)
	}
	if _, _, err = Baseline("bad.txt", dir); err == nil || err.Error() != `bad.txt:2: "bash" is not a NEVRA: want name-[epoch:]version-release.arch` {
		t.Errorf("got %v", err)
	}
	if _, _, err = Baseline("centos-8", dir); !errors.Is(err, fs.ErrNotExist) || hint.Of(err) != "embedded baselines: centos-7-minimal; none stands for a host without packages" {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExtends(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "base/base.yaml", strings.Replace(good, "    images: true", "    network: flannel\n  - {url: ./x.yaml, path: files/x.yaml}\n  - {url: ./calico.yaml, path: manifests/calico.yaml, network: calico}", 1))
	child := write(t, dir, "child.yaml", `apiVersion: kubecrate/v1
kind: Bundle
name: child
extends: base/base.yaml
network: calico
packages:
  weak: true
  baseline: host.txt
  roots: [chrony, ipset-6.38-3.el7]
  exclude: [kernel]
  repos:
    - {id: base, priority: 10}
    - {id: local, baseurl: [repo], gpgcheck: false}
images:
  mirrors: {k8s.gcr.io: [other.example], docker.io: [hub.example]}
  list: [-nginx, "k8s.gcr.io/pause:3.2", "a.example/b:1", "a.example/b:2"]
files:
  - {url: ./y.yaml, path: files/x.yaml}
`)
	m, err := Load(child)
	if err != nil {
		t.Fatal(err)
	}
	if m.Dir() != dir {
		t.Errorf("Dir = %s", m.Dir())
	}
	got, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "extends.golden.yaml", got)
	if _, err := Load(filepath.Join(dir, "base/base.yaml")); err != nil {
		t.Error(err)
	}
}

func TestExtendsErrors(t *testing.T) {
	dir := t.TempDir()
	head := "apiVersion: kubecrate/v1\nkind: Bundle\nextends: "
	write(t, dir, "a.yaml", head+"b.yaml\n")
	write(t, dir, "b.yaml", head+"./a.yaml\n")
	write(t, dir, "gone.yaml", head+"nowhere.yaml\n")
	write(t, dir, "typo.yaml", head+"kubernetes-1.17.4-el8\n")
	write(t, dir, "bad.yaml", head+DefaultProfile+"\nrunitme: x\n")
	write(t, dir, "parent.yaml", head+"bad.yaml\n")
	write(t, dir, "remove.yaml", head+DefaultProfile+"\npackages:\n  roots: [-docker-ee]\nimages: {list: [-busybox]}\n")
	write(t, dir, "url.yaml", head+DefaultProfile+"\npackages:\n  repos: [{id: new}]\n")
	for i := range 10 {
		next := DefaultProfile
		if i < 9 {
			next = "deep" + string(rune('1'+i)) + ".yaml"
		}
		write(t, dir, "deep"+string(rune('0'+i))+".yaml", head+next+"\n")
	}
	for file, want := range map[string]string{
		"a.yaml":      "DIR/a.yaml extends b.yaml: DIR/b.yaml extends ./a.yaml: DIR/a.yaml extends itself: DIR/a.yaml -> DIR/b.yaml -> DIR/a.yaml",
		"gone.yaml":   "DIR/gone.yaml extends nowhere.yaml: cannot read the manifest: open DIR/nowhere.yaml: no such file or directory",
		"typo.yaml":   `DIR/typo.yaml extends kubernetes-1.17.4-el8: no profile "kubernetes-1.17.4-el8" and no file of that name (did you mean "kubernetes-1.17.4-el7"?)`,
		"bad.yaml":    `DIR/bad.yaml:4:1: unknown key "runitme" (did you mean "runtime"?)`,
		"parent.yaml": `DIR/parent.yaml extends bad.yaml: DIR/bad.yaml:4:1: unknown key "runitme" (did you mean "runtime"?)`,
		"remove.yaml": "DIR/remove.yaml:5:11: packages.roots[0]: cannot remove \"-docker-ee\": no inherited entry has that name\n" +
			"DIR/remove.yaml:6:17: images.list[0]: cannot remove \"-busybox\": no inherited entry has that name",
		"url.yaml":   "DIR/url.yaml: missing key \"baseurl\" in packages.repos[5]\nDIR/url.yaml: packages.repos[5]: signatures are checked (gpgcheck), but gpgkey is empty",
		"deep0.yaml": "more than 8 manifests that extend each other",
	} {
		_, err := Load(filepath.Join(dir, file))
		if err == nil {
			t.Errorf("%s was loaded", file)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != want && !(file == "deep0.yaml" && strings.HasSuffix(got, want)) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
	if _, err := Load("kubernetes-1.17.5-el7"); hint.Of(err) != "bundle profiles" {
		t.Errorf("got %v, hint %q", err, hint.Of(err))
	}
}

func TestOverride(t *testing.T) {
	m, err := Load(DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	digest := m.Digest()
	err = m.Override(Overrides{
		Mirrors: []string{"k8s.gcr.io=127.0.0.1:5000/google_containers,b.example", "quay.io=127.0.0.1:5000"},
		Repos:   []string{"kubernetes=http://127.0.0.1:8000/k8s/$basearch"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Images.Mirrors; !slices.Equal(got["k8s.gcr.io"], []string{"127.0.0.1:5000/google_containers", "b.example"}) || !slices.Equal(got["quay.io"], []string{"127.0.0.1:5000"}) {
		t.Errorf("mirrors = %v", got)
	}
	if got := m.Packages.Repos[0].BaseURL; !slices.Equal(got, []string{"http://127.0.0.1:8000/k8s/x86_64"}) {
		t.Errorf("baseurl = %v", got)
	}
	if m.Digest() != digest {
		t.Error("where from changed what: another digest")
	}
	if err := m.Override(Overrides{Set: []string{"platform.arch=arm64", "packages.baseline=none", "name=other", "packages.weak=true"}}); err != nil {
		t.Fatal(err)
	}
	if m.Digest() == digest || m.Platform.Arch != "arm64" || m.Packages.Baseline != "none" || m.Name != "other" || !m.Packages.Weak {
		t.Errorf("not set: %+v", m)
	}
	if got := m.Packages.Repos[0].BaseURL[0]; got != "http://127.0.0.1:8000/k8s/aarch64" {
		t.Errorf("baseurl = %s: another architecture, and the repository of before", got)
	}
	if got := m.Packages.Repos[1].BaseURL[0]; got != "https://mirrors.aliyun.com/docker-ce/linux/centos/7/aarch64/stable" {
		t.Errorf("baseurl = %s", got)
	}
}

func TestOverrideErrors(t *testing.T) {
	for _, test := range []struct {
		o          Overrides
		want, hint string
	}{
		{Overrides{Set: []string{"netwrk=calico"}}, `--set netwrk=calico: unknown key "netwrk" (did you mean "network"?)`, ""},
		{Overrides{Set: []string{"images.list=x"}}, `--set images.list=x: unknown key "images.list" (known: kubernetes, name, network, packages.baseline, packages.weak, platform.arch, platform.family, runtime)`, ""},
		{Overrides{Set: []string{"network"}}, `--set network: want KEY=VALUE`, ""},
		{Overrides{Set: []string{"runtime=cri-o"}}, `--set runtime=cri-o: "cri-o" is not known (known: containerd, docker)`, ""},
		{Overrides{Set: []string{"packages.weak=maybe"}}, `--set packages.weak=maybe: packages.weak must be true or false, not "maybe"`, ""},
		{Overrides{Set: []string{"kubernetes=1.17"}}, `cannot use --set: kubernetes-1.17.4-el7: kubernetes: "1.17" is not a version: want vMAJOR.MINOR.PATCH, such as v1.17.4`, ""},
		{Overrides{Repos: []string{"kuberntes=/srv"}}, `--repo kuberntes=/srv: no repository "kuberntes" (did you mean "kubernetes"?)`, ""},
		{Overrides{Repos: []string{"epel=/srv"}}, `--repo epel=/srv: no repository "epel" (known: base, docker-ce, extras, kubernetes, updates)`, ""},
		{Overrides{Repos: []string{"base=ftp://x/y"}}, `--repo base=ftp://x/y: cannot fetch "ftp://x/y": unsupported scheme ftp (known: https, http, file)`, ""},
		{Overrides{Repos: []string{"base="}}, `--repo base=: want ID=URL[,URL]`, ""},
		{Overrides{Mirrors: []string{"k8s.gcr.io"}}, `--mirror k8s.gcr.io: want REGISTRY=PREFIX[,PREFIX]`, ""},
		{Overrides{Mirrors: []string{"k8s.gcr.io=http://x"}}, `--mirror k8s.gcr.io=http://x: write "http://x" without the scheme, as HOST[:PORT][/PATH]`, ""},
		{Overrides{Mirrors: []string{"a/b=x"}}, `--mirror a/b=x: "a/b" is not a registry: want HOST[:PORT], or HOST[:PORT]/REPOSITORY for part of one`, ""},
		{Overrides{Repos: []string{"base=https://x/$infra"}}, `--repo base=https://x/$infra: unknown variable $infra: write its value instead (known: $arch, $basearch, $releasever)`, ""},
	} {
		m, err := Load(DefaultProfile)
		if err != nil {
			t.Fatal(err)
		}
		before := m.Digest()
		err = m.Override(test.o)
		if err == nil || err.Error() != test.want || hint.Of(err) != test.hint {
			t.Errorf("got\n%v\nhint %s\nwant\n%s", err, hint.Of(err), test.want)
		}
		if m.Digest() != before {
			t.Errorf("%v changed the manifest although it failed", test.o)
		}
	}
}

// TestNetworks: the profiles have the manifest of each network.
func TestNetworks(t *testing.T) {
	for _, p := range Profiles() {
		for _, network := range Vocabulary()["network"] {
			m, err := Load(p.Name)
			if err == nil {
				err = m.Override(Overrides{Set: []string{"network=" + network}})
			}
			if err != nil {
				t.Fatal(err)
			}
			if text, err := m.Files[0].URL.Embedded(); err != nil || text != nil && fmt.Sprintf("%x", sha256.Sum256(text)) != m.Files[0].SHA256 {
				t.Errorf("%s: the embedded file is not the pinned one: %v", p.Name, err)
			}
			if len(m.Files) != 1 || m.Files[0].Network != network || !m.Files[0].Images || !slices.Equal(m.Files[0].Roles, []Role{Master}) {
				t.Errorf("%s: %+v", network, m.Files)
			}
		}
	}
}

// TestInit loads what Init writes, as it is and with every example uncommented.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	text, err := Init(DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(write(t, dir, "bundle.yaml", string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "my-cluster" || len(m.Packages.Roots) == 0 {
		t.Errorf("got %+v", m)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if len(line) > 1 && line[0] == '#' && line[1] != ' ' {
			lines[i] = line[1:]
		} else if strings.HasPrefix(line, "#  ") {
			lines[i] = line[1:]
		}
	}
	all := strings.Join(lines, "\n")
	m, err = Load(write(t, dir, "all.yaml", all))
	if err != nil {
		t.Fatalf("%v\n%s", err, all)
	}
	if m.Network != "calico" || len(m.Files) != 1 || m.Files[0].Path != "manifests/calico.yaml" || slices.Contains(m.Packages.Roots, "chrony") {
		t.Errorf("got %+v", m)
	}
	if _, err := Init("nothing"); err == nil {
		t.Error("a profile that is not there")
	}
}

// TestImports keeps the package, which the installer links, small.
func TestImports(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range p.Imports {
		if strings.Contains(i, ".") && i != "go.yaml.in/yaml/v3" || i == "text/template" || i == "net/http" ||
			strings.HasPrefix(i, "kubecrate/") && !slices.Contains([]string{"kubecrate/pkg/credential", "kubecrate/pkg/atomicfile", "kubecrate/pkg/hint", "kubecrate/pkg/imageref", "kubecrate/pkg/media", "kubecrate/pkg/nevra", "kubecrate/pkg/signedjson", "kubecrate/pkg/suggest", "kubecrate/pkg/yamlsize"}, i) {
			t.Errorf("manifest imports %s", i)
		}
	}
}

// TestPlacesOfFiles: a file has one place or several; what is embedded must be known,
// and be the same as what stands beside it.
func TestPlacesOfFiles(t *testing.T) {
	dir := t.TempDir()
	const head = "apiVersion: kubecrate/v1\nkind: Bundle\nextends: kubernetes-1.17.4-el7\nname: x\nfiles: [{path: files/x, url: "
	m, err := Load(write(t, dir, "x.yaml", head+"[./a, 'https://h.example/a']}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := m.Files[len(m.Files)-1].URL
	if len(got) != 2 || got[0] != "./a" || got.Origin() != "./a" {
		t.Errorf("places %v", got)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("x", text)
	if err != nil || again.Digest() != m.Digest() {
		t.Errorf("read back: %v", err)
	}
	if err := os.Mkdir(dir+"/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	m, err = Load(write(t, dir, "sub/y.yaml", "apiVersion: kubecrate/v1\nkind: Bundle\nextends: ../x.yaml\nname: y\n"))
	if err != nil || m.Files[len(m.Files)-1].URL[0] != "../a" {
		t.Errorf("from another directory: %v, %v", m, err)
	}
	for _, c := range []struct{ url, want string }{
		{"[]", "files[0].url"},
		{"''", "must not be empty"},
		{"[a, 'ftp://x/y']", "ftp"},
		{"embedded:kube-flanel-0.14.0.yml", `did you mean "kube-flannel-0.14.0.yml"`},
		{"[a, 'embedded:kube-flannel-0.14.0.yml']", "want a sha256"},
	} {
		if _, err := Load(write(t, dir, "z.yaml", head+c.url+"}]\n")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.url, err, c.want)
		}
	}
}
