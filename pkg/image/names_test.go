package image

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/imageref"
)

// sharedData is the folder of real files beside the repository.
func sharedData(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			data := filepath.Join(dir, "..", "shared", "data")
			if _, err := os.Stat(data); err != nil {
				t.Skip("no shared data beside the repository")
			}
			return data
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// The lists were read from the files by eye.
func TestNamesOfRealManifests(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(sharedData(t), "manifests")
	want := map[string][]string{
		"calico-v3.14.2-private-registry.yaml": {"harbor.example.com/public/cni:v3.14.2", "harbor.example.com/public/pod2daemon-flexvol:v3.14.2", "harbor.example.com/public/node:v3.14.2", "harbor.example.com/public/kube-controllers:v3.14.2"},
		"calico-v3.15.0.yaml":                  {"calico/cni:v3.15.0", "calico/pod2daemon-flexvol:v3.15.0", "calico/node:v3.15.0", "calico/kube-controllers:v3.15.0"},
		"canal-v3.15.0.yaml":                   {"calico/cni:v3.15.0", "calico/pod2daemon-flexvol:v3.15.0", "calico/node:v3.15.0", "quay.io/coreos/flannel:v0.11.0", "calico/kube-controllers:v3.15.0"},
		"canal-v3.16.1.yaml":                   {"calico/cni:v3.16.1", "calico/pod2daemon-flexvol:v3.16.1", "calico/node:v3.16.1", "quay.io/coreos/flannel:v0.12.0", "calico/kube-controllers:v3.16.1"},
		"kube-flannel-v0.14.0-old.yaml":        {"quay.io/coreos/flannel:v0.11.0-amd64", "quay.io/coreos/flannel:v0.11.0-arm64", "quay.io/coreos/flannel:v0.11.0-arm", "quay.io/coreos/flannel:v0.11.0-ppc64le", "quay.io/coreos/flannel:v0.11.0-s390x"},
		"kube-flannel-v0.14.0.yml":             {"quay.io/coreos/flannel:v0.14.0"},
		"kube-flannel-v0.15.1.yml":             {"rancher/mirrored-flannelcni-flannel-cni-plugin:v1.0.0", "quay.io/coreos/flannel:v0.15.1"},
		"kube-flannel-v0.20.2.yml":             {"rancher/mirrored-flannelcni-flannel-cni-plugin:v1.1.0", "rancher/mirrored-flannelcni-flannel:v0.20.2"},
		"kube-flannel-v0.28.9.yml":             {"ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3", "ghcr.io/flannel-io/flannel:v0.28.9"},
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Names(strings.NewReader(string(body)))
		if err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
		if !slices.Equal(got, want[f.Name()]) {
			t.Errorf("%s: %q, want %q", f.Name(), got, want[f.Name()])
		}
		delete(want, f.Name())
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":       {"", nil},
		"comments only": {"# image: a:1\n---\n# b\n---\n", nil},
		"pod": {`
kind: Pod
spec:
  initContainers: [{name: i, image: init:1}]
  containers:
  - name: c
    #image: commented:1
    image: main:1 # not this: other:2
    env: [{name: IMAGE, value: "env.example/x:1"}, {name: image, value: env:2}]
    args: [--image=arg:1]
  ephemeralContainers: [{name: e, image: debug:1}]
`, []string{"init:1", "main:1", "debug:1"}},
		"cron job": {`
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "busybox"}]}}}}}
`, []string{"busybox:latest"}},
		"pod template":   {"kind: PodTemplate\ntemplate: {spec: {containers: [{image: a:1}]}}\n", []string{"a:1"}},
		"list in a list": {"kind: List\nitems:\n- kind: List\n  items:\n  - {kind: Pod, spec: {containers: [{image: a:1}, {image: b:1}]}}\n- {kind: Job, spec: {template: {spec: {containers: [{image: a:1}]}}}}\n", []string{"a:1", "b:1"}},
		"custom resource": {`
apiVersion: example.org/v1
kind: Cluster
spec: {parts: [{pod: {podSpec: {containers: [{image: part:1}]}}}]}
`, []string{"part:1"}},
		"documents":           {"kind: Pod\nspec: {containers: [{image: b:1}]}\n---\n\n---\nkind: Pod\nspec: {containers: [{image: a:1}, {image: b:1}]}\n...\n", []string{"b:1", "a:1"}},
		"json":                {`{"kind":"Pod","spec":{"containers":[{"image":"a:1"}]}}`, []string{"a:1"}},
		"spelling":            {"kind: Pod\nspec: {containers: [{image: nginx}, {image: docker.io/library/nginx:latest}]}\n", []string{"nginx:latest"}},
		"digest":              {"kind: Pod\nspec: {containers: [{image: \"a@" + aDigest + "\"}]}\n", []string{"a@" + aDigest}},
		"no image":            {"kind: Deployment\nspec: {template: {spec: {containers: [{name: a}, {image: \"\"}, {image: null}]}}}\n", nil},
		"text in a ConfigMap": {"kind: ConfigMap\ndata:\n  pod: |\n    kind: Pod\n    spec: {containers: [{image: a:1}]}\n", nil},
		"schema":              {"kind: CustomResourceDefinition\nspec: {validation: {example: {containers: [{image: a:1}]}}}\n", nil},
		"annotations":         {"kind: Pod\nmetadata: {annotations: {containers: [{image: a:1}]}}\nspec: {containers: [{image: b:1}]}\n", []string{"b:1"}},
		"schema properties":   {"kind: X\nspec: {properties: {containers: {type: array, items: {image: {type: string}}}}}\n", nil},
		"image volume":        {"kind: Pod\nspec: {containers: [{image: a:1}], volumes: [{name: v, image: {reference: model:1}}, {name: w, rbd: {image: disk}}]}\n", []string{"a:1", "model:1"}},
		"rbd volume":          {"kind: PersistentVolume\nspec: {rbd: {image: foo}, volumes: [{image: {reference: x}}]}\n", nil},
		"alias": {`
kind: List
items:
- &p {kind: Pod, spec: &s {containers: &c [&one {image: a:1}]}}
- *p
- {kind: Pod, spec: {containers: *c, initContainers: [*one, {<<: *one, image: b:1}]}}
`, []string{"a:1", "b:1"}},
		"merge": {`
kind: Deployment
x-base: &base {image: merged:1, name: n}
spec: {template: {spec: {containers: [{<<: *base}, {<<: [{image: first:1}, *base]}]}}}
`, []string{"merged:1", "first:1"}},
	} {
		got, err := Names(strings.NewReader(c.in))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", title, got, err, c.want)
		}
	}
}

func TestNamesErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("{a: ", 600) + "1" + strings.Repeat("}", 600)
	for title, c := range map[string]struct{ in, want string }{
		"template value":  {"kind: Pod\nspec:\n  containers:\n  - image: {{ .Values.image }}\n", "line 4"},
		"template quoted": {"kind: Pod\nspec:\n  containers:\n  - image: \"{{ .Values.image }}:1\"\n", "line 4: cannot read image name"},
		"template block":  {"kind: Pod\nspec:\n{{- if .x }}\n  containers: []\n{{- end }}\n", "line 3"},
		"variable":        {"kind: Pod\nspec:\n  containers:\n  - image: ${IMAGE}\n", "line 4"},
		"upper case":      {"kind: Pod\nspec:\n  containers:\n  - image: Nginx\n", "must be lower case"},
		"html":            {"<html><body>404</body></html>\n", "line 1: not a Kubernetes object"},
		"list at the top": {"- a\n- b\n", "line 1: not a Kubernetes object"},
		"tabs":            {"kind: Pod\nspec:\n\tcontainers: []\n", "line 3"},
		"binary":          {"\x7fELF\x02\x01", "control characters"},
		"deep":            {"kind: X\nspec: " + deep, "nested deeper"},
		"too large":       {"kind: X\na: " + strings.Repeat("x", maxYAML), "larger than 8 MiB"},
		"documents":       {strings.Repeat("a: 1\n---\n", maxDocuments+1), "documents"},
		"unknown anchor":  {"kind: Pod\nspec: *nowhere\n", "unknown anchor"},
	} {
		got, err := Names(strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v, want %q", title, got, err, c.want)
		}
	}
}

func TestNamesOfAliasBomb(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("kind: X\na0: &a0 {containers: [{image: deep:1}]}\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {l: [%s], <<: [%s]}\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9))
	}
	start := time.Now()
	got, err := Names(strings.NewReader(b.String()))
	if err != nil || !slices.Equal(got, []string{"deep:1"}) {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	circle := "kind: X\nspec: &s\n  containers: &c [{image: a:1, more: *c}]\n  again: *s\n  <<: *s\n"
	if got, err := Names(strings.NewReader(circle)); err != nil || !slices.Equal(got, []string{"a:1"}) {
		t.Errorf("circle: %q, %v", got, err)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("kind: Pod\nspec: {containers: [{image: a:1}]}\n")
	f.Add("a: &a {<<: *a, containers: [*a]}\n---\n- x\n")
	f.Add("kind: List\nitems: [{kind: Pod, spec: &s {initContainers: [{image: b}]}}, {spec: *s}]\n")
	f.Add("\xff\xfek\x00:\x00")
	f.Add("image: {{ .Values.image }}")
	f.Fuzz(func(t *testing.T, s string) {
		var names []string
		var err error
		bounded(t, []byte(s), func() { names, err = Names(strings.NewReader(s)) })
		if err != nil && names != nil {
			t.Fatal("names beside an error")
		}
		for _, n := range names {
			if c, err := imageref.Canonical(n); err != nil || c != n {
				t.Fatalf("%q is not canonical: %q, %v", n, c, err)
			}
		}
	})
}

// bounded calls f and fails the test if it takes more memory than a small
// input is worth.
func bounded(t *testing.T, input []byte, f func()) {
	t.Helper()
	const most, small = 64 << 20, 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; len(input) < small && used > most {
		t.Fatalf("%d bytes allocated for %d bytes of input", used, len(input))
	}
}

// TestManyValues: nodes, which take a hundred times the memory of their text, are
// not made of a text that has too many. Not parallel: it counts the memory.
func TestManyValues(t *testing.T) {
	for _, each := range []string{"- {}\n", "- - - -\n", "-\u2028"} {
		text := "kind: X\na:\n" + strings.Repeat(each, maxValues)[:4*maxValues]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Names(strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("%q: %v", each, err)
		}
		const most = 100 << 20
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%q: %d bytes allocated for %d", each, used, len(text))
		}
	}
}
