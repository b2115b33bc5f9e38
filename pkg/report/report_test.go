package report_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra/nevratest"
	"kubecrate/pkg/report"
)

func testLock() *manifest.Lock {
	return &manifest.Lock{
		Name: "test",
		Packages: []manifest.LockedPackage{
			{NEVRA: nevratest.Parse("kubeadm-1.17.4-0.x86_64"), SHA256: strings.Repeat("a", 64), Why: []manifest.LockedReason{{Root: "kubeadm-1.17.4-0"}}},
			{NEVRA: nevratest.Parse("kubelet-1.17.4-0.x86_64"), SHA256: strings.Repeat("b", 64), Why: []manifest.LockedReason{
				{By: "kubeadm-1.17.4-0.x86_64", Requires: "kubelet >= 1.13.0"}, {Root: "kubelet-1.17.4-0"},
			}},
			{NEVRA: nevratest.Parse("conntrack-tools-1.4.4-7.el7.x86_64"), SHA256: strings.Repeat("c", 64), Upgrades: nevratest.Parse("conntrack-tools-1.4.3-1.el7.x86_64"), Why: []manifest.LockedReason{
				{By: "kubelet-1.17.4-0.x86_64", Requires: "conntrack"},
			}},
		},
		Images: []manifest.LockedImage{{
			Name: "quay.io/coreos/flannel:v0.14.0", Source: "quay.io/coreos/flannel:v0.14.0",
			Digest: "sha256:" + strings.Repeat("d", 64), From: "manifests/kube-flannel.yml",
		}},
		Files: []manifest.LockedFile{{Path: "manifests/kube-flannel.yml", URL: "https://example.org/f.yml", SHA256: strings.Repeat("e", 64)}},
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"kubeadm": {"the manifest lists kubeadm-1.17.4-0: kubeadm-1.17.4-0.x86_64"},
		"conntrack-tools-1.4.4-7.el7.x86_64": {
			"the manifest lists kubeadm-1.17.4-0: kubeadm-1.17.4-0.x86_64",
			"kubeadm-1.17.4-0.x86_64 requires kubelet >= 1.13.0: kubelet-1.17.4-0.x86_64",
			"kubelet-1.17.4-0.x86_64 requires conntrack: conntrack-tools-1.4.4-7.el7.x86_64",
			"it replaces conntrack-tools-1.4.3-1.el7.x86_64 of the baseline",
		},
		"quay.io/coreos/flannel": {
			"the file manifests/kube-flannel.yml names the image quay.io/coreos/flannel:v0.14.0",
			"it was found at quay.io/coreos/flannel:v0.14.0 as sha256:" + strings.Repeat("d", 64),
		},
		"kube-flannel.yml": {"the manifest lists the file https://example.org/f.yml"},
	} {
		got, err := report.Explain(testLock(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got.Chain, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got.Chain, want)
		}
	}
}

func TestExplainUnknown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"kubea":                  "did you mean kubeadm-1.17.4-0.x86_64?",
		"kubedam":                "did you mean kubeadm?",
		"kubelte":                "did you mean kubelet?",
		"contrack-tols":          "did you mean conntrack-tools?",
		"flanel":                 "did you mean quay.io/coreos/flannel:v0.14.0?",
		"quay.io/coreos/flanell": "did you mean quay.io/coreos/flannel:v0.14.0?",
		"kube-flanel.yml":        "did you mean manifests/kube-flannel.yml?",
		"netscape":               "",
		"":                       "",
	} {
		_, err := report.Explain(testLock(), name)
		if err == nil || hint.Of(err) != want {
			t.Errorf("%q: %v, hint %q, want %q", name, err, hint.Of(err), want)
		}
	}
}

// TestExplainLoop holds that packages which require each other end.
func TestExplainLoop(t *testing.T) {
	t.Parallel()
	l := &manifest.Lock{Packages: []manifest.LockedPackage{
		{NEVRA: nevratest.Parse("a-1-1.noarch"), Why: []manifest.LockedReason{{By: "b-1-1.noarch", Requires: "a"}}},
		{NEVRA: nevratest.Parse("b-1-1.noarch"), Why: []manifest.LockedReason{{By: "a-1-1.noarch", Requires: "b"}}},
	}}
	got, err := report.Explain(l, "a")
	if err != nil || len(got.Chain) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a, b := testLock(), testLock()
	b.Packages = b.Packages[:2]
	b.Packages[0].NEVRA = nevratest.Parse("kubeadm-1.17.5-0.x86_64")
	b.Files = append(b.Files, manifest.LockedFile{Path: "files/x", SHA256: strings.Repeat("f", 64)})
	var out bytes.Buffer
	if err := report.WriteDiff(&out, report.Diff(a, b)); err != nil {
		t.Fatal(err)
	}
	want := "- rpm   conntrack-tools  conntrack-tools-1.4.4-7.el7.x86_64 cccccccccccc\n" +
		"~ rpm   kubeadm          kubeadm-1.17.4-0.x86_64 aaaaaaaaaaaa -> kubeadm-1.17.5-0.x86_64 aaaaaaaaaaaa\n" +
		"+ file  files/x          ffffffffffff\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if got := report.Diff(a, a); len(got) != 0 {
		t.Errorf("a lock differs from itself: %v", got)
	}
	a.Images = []manifest.LockedImage{{Name: "nginx:1.14", Digest: "sha256:" + strings.Repeat("1", 64)}, {Name: "nginx:1.15", Digest: "sha256:" + strings.Repeat("2", 64)}}
	b = testLock()
	b.Images = []manifest.LockedImage{{Name: "nginx:1.14", Digest: "sha256:" + strings.Repeat("3", 64)}, a.Images[1]}
	if got := report.Diff(a, b); len(got) != 1 || got[0].Old != "nginx:1.14 111111111111, nginx:1.15 222222222222" || got[0].New != "nginx:1.14 333333333333, nginx:1.15 222222222222" {
		t.Errorf("of two tags of one repository, the first moved: %+v", got)
	}
}
