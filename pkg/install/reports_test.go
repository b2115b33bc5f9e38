package install

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/step"
)

func reportsIn(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(dir + "/hosts/*")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// TestReportsCompared: what a host leaves on the stick is what the next one is
// compared with, under the name that it is to get.
func TestReportsCompared(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	first, err := c.look(t, target.Request{Role: manifest.Node, Hostname: "node7"}, nil, "192.168.4.90", "52:54:00:00:00:01", "fresh")
	if err != nil {
		t.Fatal(err)
	}
	first.reports.Begin(first.outcome(false, "installation in progress"))
	first.reports.Finish(t.Context(), first.outcome(false, first.became(t.Context(), errors.New("cannot do step join: token abcdef.0123456789abcdef is wrong\nmore"))))
	text, err := os.ReadFile(c.path("hosts/fresh-000001.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := hostreport.Parse(text)
	if err != nil || *r.Result != (hostreport.Result{Bundle: "k-amd64", Role: manifest.Node, Node: "node7", Says: "cannot do step join: token (redacted) is wrong"}) {
		t.Errorf("%+v, %v", r, err)
	}
	second, err := c.look(t, target.Request{Role: manifest.Node}, nil, "192.168.4.22", "52:54:00:00:00:02", "node7")
	if err != nil {
		t.Fatal(err)
	}
	checks, _ := second.checksOf(t)
	warned := slices.ContainsFunc(checks.Of(preflight.Warning), func(c preflight.Check) bool {
		return strings.Contains(c.Message, "another host has the same name node7")
	})
	if !warned {
		t.Errorf("%v", checks.Of(preflight.Warning))
	}
}

// bundleOf writes an archive of nothing but its description.
func bundleOf(t *testing.T, dir string) string {
	t.Helper()
	m, err := manifest.Parse("bundle.yaml", []byte("apiVersion: kubecrate/v1\nkind: Bundle\nname: k\nplatform: {family: el7, arch: amd64}\nkubernetes: v1.17.4\nruntime: docker\nnetwork: flannel\nimages: {list: [\"k8s.gcr.io/pause:3.1\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := (&manifest.Lock{APIVersion: manifest.APIVersion, Kind: manifest.KindLock, Name: "k", Platform: m.Platform, Manifest: m.Digest(), Baseline: manifest.NoBaseline}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var entries []archive.Entry
	for name, text := range map[string][]byte{lockMember: lock, manifestMember: text} {
		sum := sha256.Sum256(text)
		entries = append(entries, archive.Entry{
			Artifact: manifest.Artifact{Path: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindMeta},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		})
	}
	path := filepath.Join(dir, "k-amd64.tar.zst")
	if _, err := archive.WriteFile(t.Context(), path, archive.CreateOptions{Name: "k", Platform: m.Platform, Level: archive.Fast}, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRefusedReports: a host whose checks fail leaves its report and is not
// changed; plan and preflight leave nothing.
func TestRefusedReports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, as := Media{Archive: bundleOf(t, dir)}, target.Request{Role: manifest.Master}
	o := PlanRequest{Media: m, Host: as}
	h, x := hosttest.New(t)
	x.Write(t, "/proc/sys/kernel/hostname", "a\n", "/sys/class/net/eth0/address", "52:54:00:00:00:01\n", "/run/kubecrate.lock", "")
	x.Programs["rpm"] = func([]string, string) (string, error) { return "bash-0:4.2.46-34.el7.x86_64\n", nil }
	var failed *preflight.Error
	if _, err := MakePlan(t.Context(), h, o); err != nil {
		t.Logf("plan: %v", err)
	}
	if _, err := Preflight(t.Context(), h, o); !errors.As(err, &failed) || reportsIn(t, dir) != nil {
		t.Fatalf("preflight: %v, on the stick %v", err, reportsIn(t, dir))
	}
	if _, err := Run(t.Context(), h, RunRequest{Media: m, Host: as}); !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if there, err := h.Exists(step.Dir); there || err != nil {
		t.Errorf("a refused host has %s: %v", step.Dir, err)
	}
	text, err := os.ReadFile(dir + "/hosts/a-000001.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := hostreport.Parse(text)
	if err != nil || !f.Signed() || f.Result.Ready || !strings.HasPrefix(f.Result.Says, "preflight checks failed: ") || len(f.Packages) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}
