package manifest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// good is a manifest that is whole; tests change a line of it.
const good = `apiVersion: kubecrate/v1
kind: Bundle
name: small
platform: {family: el7, arch: amd64}
kubernetes: v1.17.4
runtime: docker
network: flannel
packages:
  roots: [ipset]
  repos:
    - id: base
      baseurl: [https://mirror.example/centos/$releasever/os/$basearch]
      gpgkey: [embedded:centos-7.asc]
images:
  mirrors: {k8s.gcr.io: [mirror.example/google]}
  list:
    - k8s.gcr.io/pause:3.1
    - {name: nginx:1.14-alpine, roles: [node], keepDigest: true}
files:
  - url: https://files.example/kube-flannel.yml
    path: manifests/kube-flannel.yml
    images: true
`

func TestParse(t *testing.T) {
	t.Parallel()
	m, err := Parse("m.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Packages.Repos[0].BaseURL[0], "https://mirror.example/centos/7/os/x86_64"; got != want {
		t.Errorf("baseurl = %s, want %s", got, want)
	}
	if got := m.Images.List; len(got) != 2 || got[0].Name != "k8s.gcr.io/pause:3.1" || got[1].Name != "nginx:1.14-alpine" ||
		!got[1].KeepDigest || len(got[1].Roles) != 1 || got[1].Roles[0] != Node {
		t.Errorf("images = %+v", got)
	}
	if !m.Files[0].Images || !m.Packages.Repos[0].Checked() {
		t.Errorf("flags are lost: %+v", m)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse("back.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if back.Digest() != m.Digest() {
		t.Errorf("what Marshal writes has another digest:\n%s", text)
	}
}

// TestBad changes good, replacing one text by another, and wants these lines.
func TestBad(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, old, new, want string }{
		{"misspelt key", "  roots: [ipset]", "  rotos: [ipset]", `m.yaml:9:3: unknown key "rotos" in packages (did you mean "roots"?)`},
		{"mirrorlist", "    - id: base", "    - mirrorlist: https://mirror.example/?repo=x\n      id: base", `m.yaml:11:7: unknown key "mirrorlist" in packages.repos[0]: list the mirrors under baseurl; to see those of a mirrorlist: curl URL`},
		{"login of a repository", "    - id: base", "    - password: s3cret\n      id: base", `m.yaml:11:7: unknown key "password" in packages.repos[0]: write the login to ~/.netrc: "machine HOST login USER password PASSWORD"`},
		{"authority of a repository", "    - id: base", "    - sslcacert: /etc/ca.pem\n      id: base", `m.yaml:11:7: unknown key "sslcacert" in packages.repos[0]: certificates are always verified; for your own certificate authority set the variable SSL_CERT_FILE`},
		{"misspelt key in a list", "    images: true", "    image: true", `m.yaml:22:5: unknown key "image" in files[0] (did you mean "images"?)`},
		{"unknown key, nothing near", "network: flannel", "network: flannel\nthing: 1", `m.yaml:8:1: unknown key "thing" (known: apiVersion, extends, files, images, kind, kubernetes, name, network, packages, platform, runtime)`},
		{"duplicate key", "kind: Bundle", "kind: Bundle\nkind: Bundle", `m.yaml:3:1: duplicate key "kind" (first on line 2)`},
		{"duplicate key in a mapping", "{family: el7, arch: amd64}", "{family: el7, arch: amd64, arch: arm64}", `m.yaml:4:38: duplicate key "arch" in platform (first on line 4)`},
		{"text where a list is wanted", "roots: [ipset]", "roots: ipset", `m.yaml:9:10: packages.roots must be a list ([a, b], or lines starting with -), not "ipset"`},
		{"list where text is wanted", "runtime: docker", "runtime: [docker]", `m.yaml:6:10: runtime must be text, not a list`},
		{"mapping wanted", "platform: {family: el7, arch: amd64}", "platform: el7", "m.yaml:4:11: platform must be a mapping (key: value), not \"el7\"\nm.yaml:4:11: missing key \"family\" in platform\n"},
		{"number for text", "kubernetes: v1.17.4", "kubernetes: 1.17", `m.yaml:5:13: kubernetes must be text, not 1.17: put it in quotes ("1.17")`},
		{"text for a flag", "    images: true", "    images: yes", `m.yaml:22:13: files[0].images must be true or false, not "yes"`},
		{"text for a number", "    - id: base", "    - priority: high\n      id: base", `m.yaml:11:17: packages.repos[0].priority must be a whole number, not "high"`},
		{"huge number", "    - id: base", "    - priority: 99999999999999999999\n      id: base", `m.yaml:11:17: packages.repos[0].priority must be a whole number, not 99999999999999999999`},
		{"empty value", "runtime: docker", "runtime:", `m.yaml:6:9: runtime must be text, not nothing`},
		{"missing keys", "name: small\n", "", `m.yaml:1:1: missing key "name"`},
		{"missing platform", "platform: {family: el7, arch: amd64}\n", "", `m.yaml:1:1: missing key "platform"`},
		{"missing arch", ", arch: amd64", "", `m.yaml:4:11: missing key "arch" in platform`},
		{"missing baseurl", "      baseurl: [https://mirror.example/centos/$releasever/os/$basearch]\n", "", `m.yaml:11:7: missing key "baseurl" in packages.repos[0]`},
		{"no key to check with", "      gpgkey: [embedded:centos-7.asc]\n", "", `m.yaml:11:7: packages.repos[0]: signatures are checked (gpgcheck), but gpgkey is empty`},
		{"apiVersion", "kubecrate/v1", "kubecrate/v2", `m.yaml:1:13: apiVersion: unknown version "kubecrate/v2": this program reads kubecrate/v1`},
		{"kind", "kind: Bundle", "kind: Lock", `m.yaml:2:7: kind: wrong kind "Lock": want Bundle`},
		{"name with a slash", "name: small", "name: ../small", `m.yaml:3:7: name: "../small" is not a valid file name: want up to 100 letters, digits, dots, dashes and underscores`},
		{"name of dots", "name: small", "name: ..", `m.yaml:3:7: name: ".." is not a valid file name: want up to 100 letters, digits, dots, dashes and underscores`},
		{"family", "family: el7", "family: el6", `m.yaml:4:20: platform.family: "el6" is not known (did you mean "el7"?)`},
		{"arch", "arch: amd64", "arch: x86_64", `m.yaml:4:31: platform.arch: "x86_64" is not known (known: amd64, arm64)`},
		{"version", "v1.17.4", "1.17.4-0", `m.yaml:5:13: kubernetes: "1.17.4-0" is not a version: want vMAJOR.MINOR.PATCH, such as v1.17.4`},
		{"runtime", "runtime: docker", "runtime: dokcer", `m.yaml:6:10: runtime: "dokcer" is not known (did you mean "docker"?)`},
		{"network", "network: flannel", "network: weave", `m.yaml:7:10: network: "weave" is not known (known: calico, canal, flannel)`},
		{"empty root", "[ipset]", `[ipset, ""]`, `m.yaml:9:18: packages.roots[1]: must not be empty`},
		{"two roots in one", "[ipset]", `[ipset chrony]`, `m.yaml:9:11: packages.roots[0]: "ipset chrony" contains a space: want one package per entry`},
		{"root twice", "[ipset]", "[ipset, ipset]", `m.yaml:9:18: packages.roots[1]: duplicate "ipset"`},
		{"removal without extends", "[ipset]", "[-ipset]", `m.yaml:9:11: packages.roots[0]: cannot remove "-ipset": nothing is inherited (extends)`},
		{"repository twice", "images:\n  mirrors", "    - {id: base, baseurl: [/srv], gpgcheck: false}\nimages:\n  mirrors", `m.yaml:14:12: packages.repos[1].id: duplicate "base"`},
		{"unsafe id", "id: base", "id: ../base", `m.yaml:11:11: packages.repos[0].id: "../base" is not a valid id: want letters, digits, dots, dashes and underscores`},
		{"ftp", "https://mirror", "ftp://mirror", `m.yaml:12:17: packages.repos[0].baseurl[0]: cannot fetch "ftp://mirror.example/centos/$releasever/os/$basearch": unsupported scheme ftp (known: https, http, file)`},
		{"no host", "https://mirror.example/", "https:///", `m.yaml:12:17: packages.repos[0].baseurl[0]: "https:///centos/$releasever/os/$basearch" has no host`},
		{"relative file URL", "https://mirror.example/", "file://./x/", `m.yaml:12:17: packages.repos[0].baseurl[0]: "file://./x/centos/$releasever/os/$basearch" must be file:// with an absolute path`},
		{"unknown key file", "embedded:centos-7.asc", "embedded:centos-8.asc", `m.yaml:13:16: packages.repos[0].gpgkey[0]: no embedded key "centos-8.asc" (did you mean "centos-7.asc"?)`},
		{"fingerprint", "id: base", "id: base\n      fingerprints: [F4A80EB5]", `m.yaml:12:22: packages.repos[0].fingerprints[0]: "F4A80EB5" is not a fingerprint: want 40 or 64 hex digits`},
		{"priority", "id: base", "id: base\n      priority: 100", `m.yaml:12:17: packages.repos[0].priority: 100 is not between 1 and 99`},
		{"mirror with a scheme", "mirror.example/google]", "https://mirror.example/google]", `m.yaml:15:26: images.mirrors[k8s.gcr.io][0]: write "https://mirror.example/google" without the scheme, as HOST[:PORT][/PATH]`},
		{"mirror of no registry", "{k8s.gcr.io:", "{k8s.gcr.io/X:", `m.yaml:15:27: images.mirrors[k8s.gcr.io/X]: "k8s.gcr.io/X" is not a registry: want HOST[:PORT], or HOST[:PORT]/REPOSITORY for part of one`},
		{"unknown variable", "https://mirror.example/centos/$releasever/os/$basearch", `"https://x/$stream/$basearchx/${infra}/$arch/${basearch}/$stream"`, `m.yaml:12:17: packages.repos[0].baseurl[0]: unknown variable $stream, $basearchx, ${infra}: write its value instead (known: $arch, $basearch, $releasever)`},
		{"unknown variable of a key", "embedded:centos-7.asc", "https://mirror.example/$releasever_major/key", `m.yaml:13:16: packages.repos[0].gpgkey[0]: unknown variable $releasever_major: write its value instead (known: $arch, $basearch, $releasever)`},
		{"variable in a file", "https://files.example/kube-flannel.yml", "https://files.example/$HOME/$basearch/x", `m.yaml:20:10: files[0].url: $basearch is replaced only in the URLs of repositories: write its value`},
		{"fragment", "$basearch", "x#y", `m.yaml:12:17: packages.repos[0].baseurl[0]: "https://mirror.example/centos/$releasever/os/x#..." has a fragment (#), which is not sent to the server: if # is part of a name, write %23`},
		{"file URL with a query", "https://mirror.example/centos/$releasever/os/$basearch", `"file:///x?y"`, `m.yaml:12:17: packages.repos[0].baseurl[0]: "file:///x?y" is a path with ? or #: write %3F and %23`},
		{"IPv6 registry that is none", "k8s.gcr.io/pause:3.1", `"[::g]:5000/pause:3.1"`, `m.yaml:17:7: images.list[0]: "[::g]:5000/pause:3.1" is not an image name`},
		{"image without tag", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause", `m.yaml:17:7: images.list[0]: image "k8s.gcr.io/pause" has no tag: pin one, such as k8s.gcr.io/pause:1.0`},
		{"image in capitals", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/Pause:3.1", `m.yaml:17:7: images.list[0]: "k8s.gcr.io/Pause:3.1" is not an image name: the repository must be lower case: k8s.gcr.io/pause:3.1`},
		{"image twice", "k8s.gcr.io/pause:3.1", "docker.io/library/nginx:1.14-alpine", `m.yaml:18:7: images.list[1]: duplicate "nginx:1.14-alpine"`},
		{"image digest", "k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause@sha256:12", `m.yaml:17:7: images.list[0]: the digest of "k8s.gcr.io/pause@sha256:12" must be sha256: and 64 hex digits`},
		{"image without name", "{name: nginx:1.14-alpine, ", "{", `m.yaml:18:7: missing key "name" in images.list[1]`},
		{"role", "roles: [node]", "roles: [nodes]", `m.yaml:18:41: images.list[1].roles[0]: "nodes" is not known (did you mean "node"?)`},
		{"single", "roles: [node]", "roles: [single]", `m.yaml:18:41: images.list[1].roles[0]: "single" is a master and a node on one host: name those two roles`},
		{"path out of place", "path: manifests/kube-flannel.yml", "path: rpms/x.rpm", `m.yaml:21:11: files[0].path: "rpms/x.rpm" must be under manifests/ or files/`},
		{"path that climbs", "path: manifests/kube-flannel.yml", "path: manifests/../x", `m.yaml:21:11: files[0].path: "manifests/../x" is not a path in the archive: want names separated by /, with no . or .. element`},
		{"sha256", "    images: true", "    sha256: adff", `m.yaml:22:13: files[0].sha256: "adff" is not a sha256: want 64 hex digits, got 4 characters`},
		{"baseline", "roots: [ipset]", "baseline: https://x.example/list\n  roots: [ipset]", `m.yaml:9:13: packages.baseline: "https://x.example/list" must be one of centos-7-minimal, none, or a file`},
		{"merge key", "platform: {family: el7, arch: amd64}", "platform: {<<: {family: el7}, arch: amd64}", `m.yaml:4:12: platform: a key must be a plain word`},
		{"syntax", "kind: Bundle", "kind: Bundle: x", `m.yaml:2: mapping values are not allowed in this context`},
		{"two documents", "files:", "---\nfiles:", `m.yaml:19:1: a second document: only one is allowed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(good, test.old) == 0 {
				t.Fatalf("good has no %q", test.old)
			}
			_, err := Parse("m.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
			want := strings.TrimSuffix(test.want, "\n")
			if strings.HasSuffix(test.want, "\n") { // the decoder's problems hide what validation would say
				want, _, _ = strings.Cut(want, "\n")
			}
			if err == nil || err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// TestSeveral wants all problems at once, in the order of the file, ten at most.
func TestSeveral(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("docker", "rkt", "flannel\n", "weave\n", "[ipset]", `[""]`, "pause:3.1", "pause").Replace(good)
	_, err := Parse("m.yaml", []byte(text))
	var e *InvalidError
	if !errors.As(err, &e) || len(e.Problems) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, line := range []int{6, 7, 9, 17} {
		if e.Problems[i].Line != line {
			t.Errorf("problem %d is on line %d, want %d", i, e.Problems[i].Line, line)
		}
	}
	var b strings.Builder
	for i := range 14 {
		fmt.Fprintf(&b, "wrong%d: 1\n", i)
	}
	_, err = Parse("m.yaml", []byte(b.String()))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 11 || lines[10] != "m.yaml: and 4 more" {
		t.Errorf("got %d lines:\n%v", len(lines), err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	bomb := "x: &a [z, z, z, z, z, z, z, z, z, z]\n"
	for c := 'b'; c < 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 10), ", "))
	}
	tests := []struct{ name, text, want string }{
		{"nothing", "", "m.yaml:1:1: the file is empty"},
		{"a comment", "# nothing\n", "m.yaml:1:1: the file is empty"},
		{"too large", strings.Repeat("#\n", MaxSize), "m.yaml: larger than 4 MiB"},
		{"a list", "- a\n", `m.yaml:1:1: a document must be a mapping (key: value), not a list`},
		{"aliases", "packages:\n  roots: &r [" + strings.Repeat("a, ", 200) + "a]\n  exclude: *r\nfiles: [" + strings.Repeat("*r, ", 300) + "*r]\n",
			`m.yaml:2:10: files[0] must be a mapping (key: value), not a list`},
		{"deep", strings.Repeat("[", 20000), "m.yaml: exceeded max depth of 10000"},
	}
	for _, test := range tests {
		_, err := Parse("m.yaml", []byte(test.text))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	// Repositories by alias: 300 times 200 URLs are more values than are read.
	urls := "[" + strings.TrimSuffix(strings.Repeat("a, ", 200), ", ") + "]"
	text := "packages:\n  repos:\n    - &r {id: x, baseurl: " + urls + "}\n" + strings.Repeat("    - *r\n", 300)
	if _, err := Parse("m.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "more than 50000 values, aliases expanded") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("m.yaml", []byte(bomb)); err == nil {
		t.Error("a bomb was read")
	}
}

func TestImageNames(t *testing.T) {
	t.Parallel()
	for name, repository := range map[string]string{
		"nginx:1.14-alpine":                  "docker.io/library/nginx",
		"docker.io/nginx:1":                  "docker.io/library/nginx",
		"flannel/flannel:v1":                 "docker.io/flannel/flannel",
		"localhost/a:1":                      "localhost/a",
		"127.0.0.1:5000/a/b:1":               "127.0.0.1:5000/a/b",
		"k8s.gcr.io/pause:3.1":               "k8s.gcr.io/pause",
		"quay.io/a/b_c@" + "sha256:" + zeros: "quay.io/a/b_c",
		"quay.io/a/b:1@sha256:" + zeros:      "quay.io/a/b",
	} {
		if err := checkImage(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := imageKey(name); got != repository {
			t.Errorf("%s is of %s, want %s", name, got, repository)
		}
	}
	for _, name := range []string{"", ":1", "a:", "a:b:c", "A:1", "a//b:1", "-a:1", "a:1@", "a@sha256:1", "../a:1", "a b:1", "host:99999999/a:1", strings.Repeat("a", 300) + ":1"} {
		if err := checkImage(name); err == nil {
			t.Errorf("%q is taken for an image", name)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// TestRolesOf: what belongs to the control plane is told by its repository, and not
// by how its name ends.
func TestRolesOf(t *testing.T) {
	t.Parallel()
	m := &Manifest{Kubernetes: "v1.17.4", Images: Images{List: []Image{
		{Name: "registry.k8s.io/kube-apiserver:v1.29.0"}, {Name: "k8s.gcr.io/kube-apiserver:v1.17.4"}, {Name: "registry.k8s.io/etcd:3.5.10-0"},
	}}}
	for image, masters := range map[string]bool{
		"k8s.gcr.io/kube-apiserver:v1.17.4": true, "k8s.gcr.io/etcd:3.4.3-0": true, "k8s.gcr.io/kube-scheduler:v1.17.4": true,
		"k8s.gcr.io/kube-controller-manager-amd64:v1.17.4": true, "k8s.gcr.io/etcd@sha256:" + zeros: true, "k8s.gcr.io/kube-scheduler@sha256:" + zeros: true,
		"k8s.gcr.io/kube-proxy:v1.17.4": false, "k8s.gcr.io/pause:3.1": false, "nginx:1": false, "quay.io/etcd/operator:1": false,
		"milvusdb/etcd:3.5": false, "etcd:3.5": false, "quay.io/coreos/etcd:v3.4.3": false, "k8s.gcr.io/x/etcd:1": false, "k8s.gcr.io:5000/etcd:1": false,
		"registry.k8s.io/kube-apiserver:v1.29.0": false, "registry.k8s.io/etcd:3.5.10-0": false, "k8s.gcr.io/kube-apiserver:v1.16.0": false,
	} {
		if got := m.RolesOf(image); (len(got) == 1 && got[0] == Master) != masters {
			t.Errorf("RolesOf(%s) = %v", image, got)
		}
	}
	if got := (&Manifest{Kubernetes: "v1.17.4"}).RolesOf("k8s.gcr.io/etcd:3.4.3-0"); got != nil {
		t.Errorf("etcd where there is no control plane: %v", got)
	}
	m = &Manifest{Kubernetes: "v1.17.4", Images: Images{List: []Image{{Name: "me/kube-apiserver:v1.17.4"}}}}
	if got := m.RolesOf("docker.io/me/etcd:1"); len(got) != 1 {
		t.Errorf("etcd of docker.io: %v", got)
	}
}

// TestMemory holds small inputs to little memory.
func TestMemory(t *testing.T) {
	empty := "[" + strings.TrimSuffix(strings.Repeat("{}, ", 1000), ", ") + "]"
	inputs := []string{
		"images:\n  - &i {layers: " + empty + "}\n" + strings.Repeat("  - *i\n", 2000),
		"packages:\n  - &p {why: " + empty + "}\n" + strings.Repeat("  - *p\n", 2000),
		"packages:\n  repos:\n    - &r {baseurl: [" + strings.Repeat("'', ", 300) + "'']}\n" + strings.Repeat("    - *r\n", 1000),
		"files: [" + strings.Repeat("{}, ", 10000) + "{}]\n",
		"apiVersion: \"" + strings.Repeat("\\e", 10000) + "\"\n",
	}
	for i, text := range inputs {
		for name, parse := range map[string]func() error{
			"manifest": func() error { _, err := Parse("m", []byte(text)); return err },
			"lock":     func() error { _, err := ParseLock("l", []byte(text)); return err },
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := parse()
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("input %d of %d bytes as a %s takes %d MiB", i, len(text), name, used>>20)
			}
			if err == nil || len(err.Error()) > 12*(longestText+50) || strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("input %d as a %s: %.100v", i, name, err)
			}
		}
	}
}

// TestMisread: what the parser of YAML says in its own words is said in the writer's.
func TestMisread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"apiVersion: kubecrate/v1\nkind: Bundle\npackages:\n\troots: [a]\n", "indent with spaces"},
		{"apiVersion: kubecrate/v1\nkind: Bundle\n# \xd6\xd0\xce\xc4\nname: x\n", "m:3: not UTF-8 text"},
		{"apiVersion: kubecrate/v1\nkind: Bundle\nextends: kubernetes-1.17.4-el7\nimages: {list: ['Registry.example/Team/App:1.0']}\n", "lower case: registry.example/team/app:1.0"},
	} {
		if _, err := Parse("m", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}
