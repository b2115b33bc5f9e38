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
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/media"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// visit is a host of an address, a MAC and a name with the stick, and what it is told.
func (c *carried) visit(t *testing.T, address, mac, name string) (*site, *string) {
	t.Helper()
	said := new(string)
	s, err := c.look(t, Settings{Role: manifest.Node, Report: func(e progress.Event) { *said += string(e.Kind) + " " + e.Text + "\n" }}, nil, address, mac, name)
	if err != nil {
		t.Fatal(err)
	}
	return s, said
}

func sheetsIn(t *testing.T, dir string) []string {
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

// TestCourier: what a host leaves on the stick is what the next one is compared with.
func TestCourier(t *testing.T) {
	t.Parallel()
	c := stickWith(t, func(c *manifest.Cluster) { c.VIP = &manifest.VIP{Address: "192.168.4.90"} })
	first, said := c.visit(t, "192.168.4.90", "52:54:00:00:00:01", "fresh")
	first.Hostname = "node7"
	if first.others(); sheetsIn(t, c.dir) != nil {
		t.Error("who looks writes nothing")
	}
	first.arrive()
	if got := sheetsIn(t, c.dir); len(got) != 1 || got[0] != "fresh-000001.json" {
		t.Fatalf("on the stick: %v", got)
	}
	if err := first.keepSigner(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(first.host.Path(step.Dir + "/" + signerName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	first.depart(t.Context(), errors.New("cannot do step join: token abcdef.0123456789abcdef is wrong\nmore"))

	second, also := c.visit(t, "192.168.4.22", "52:54:00:00:00:02", "node7")
	others := second.others()
	if len(others) != 1 || others[0].Hostname != "node7" || !others[0].Signed() || len(others[0].Addresses()) != 0 {
		t.Fatalf("seen: %+v (%s)", others, *also)
	}
	r := *others[0].Result
	if r.Ready || r.Says != "cannot do step join: token (left out) is wrong" || r.Role != manifest.Node || r.Bundle != "k-amd64" {
		t.Errorf("%+v", r)
	}
	second.saved = &State{Role: manifest.Node} // there is no archive to look at
	checks, _, err := second.preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	warned := slices.ContainsFunc(checks.Of(preflight.Warning), func(c preflight.Check) bool { return strings.Contains(c.Message, "another host is called node7 too") })
	if !warned {
		t.Errorf("%v", checks.Of(preflight.Warning))
	}
	second.arrive()
	second.depart(t.Context(), nil)
	if err := second.keepSigner(); err != nil {
		t.Fatal(err)
	}
	if *said != "" || *also != "" || len(sheetsIn(t, c.dir)) != 2 {
		t.Errorf("said %q and %q, on the stick %v", *said, *also, sheetsIn(t, c.dir))
	}
	withdraw(t.Context(), second.host, second.Settings)
	if got := sheetsIn(t, c.dir); len(got) != 1 || got[0] != "fresh-000001.json" {
		t.Errorf("after a reset: %v", got)
	}
	if err := forget(second.host); err != nil {
		t.Fatal(err)
	}
	if there, err := second.host.Exists(step.Dir); there || err != nil {
		t.Errorf("%s is there after a reset: %v", step.Dir, err)
	}
}

// TestCourierDoubts: what was changed on the way is told, and never an error.
func TestCourierDoubts(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	first, _ := c.visit(t, "192.168.4.91", "52:54:00:00:00:01", "a")
	first.arrive()
	path := c.path("hosts/a-000001.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	known, _ := c.visit(t, "192.168.4.92", "52:54:00:00:00:02", "b")
	known.arrive()
	if err := known.keepSigner(); err != nil {
		t.Fatal(err)
	}
	again := func() (*site, *string) {
		s, said := c.visit(t, "192.168.4.92", "52:54:00:00:00:02", "b")
		s.host = known.host
		return s, said
	}
	forged, err := facts.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	forged.Key, forged.Signature = "", ""
	bare, err := forged.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	forged.Time = forged.Time.AddDate(1, 0, 0)
	other, _ := c.visit(t, "192.168.4.93", "52:54:00:00:00:03", "c")
	other.others()
	other.courier.signer.Since = first.courier.signer.Since.AddDate(-1, 0, 0)
	if err := forged.Sign(other.courier.signer); err != nil {
		t.Fatal(err)
	}
	resigned, err := forged.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]struct {
		text string
		seen int
		says string
	}{
		"nothing":     {string(good), 1, ""},
		"a bit":       {strings.Replace(string(good), "192.168.4.91", "192.168.4.90", 1), 0, "a-000001.json: its signature does not fit"},
		"half of it":  {string(good[:len(good)/2]), 0, "a-000001.json: it is no sheet of a host"},
		"no signer":   {string(bare), 1, "a-000001.json, is not signed, and the one of this host from"},
		"another key": {string(resigned), 1, "signed by another key"},
	} {
		write(t, path, v.text)
		s, said := again()
		if got := len(s.others()); got != v.seen || !strings.Contains(*said, v.says) || v.says == "" && *said != "" {
			t.Errorf("%s: %d sheets, %q", what, got, *said)
		}
		if s.others(); strings.Count(*said, "a-000001.json") > 2 {
			t.Errorf("%s is told twice: %q", what, *said)
		}
	}
	// Its own sheet, by somebody else.
	write(t, path, string(good))
	mine, err := os.ReadFile(c.path("hosts/b-000002.json"))
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := facts.Parse(mine)
	if err == nil {
		err = sheet.Sign(other.courier.signer)
	}
	if err == nil {
		mine, err = sheet.Marshal()
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.path("hosts/b-000002.json"), string(mine))
	s, said := again()
	if s.others(); !strings.Contains(*said, "hosts/b-000002.json is of this host, and not signed by it") {
		t.Errorf("its own: %q", *said)
	}
	write(t, s.host.Path(step.Dir+"/"+signerName), "x")
	write(t, s.host.Path(step.Dir+"/"+knownName), "x")
	if s, said = again(); len(s.others()) != 1 || !strings.Contains(*said, "a new one takes its place") || !strings.Contains(*said, "seen before") {
		t.Errorf("damaged files: %q", *said)
	}
}

// TestCourierNoPlace: a stick that cannot be written, or that is another one by
// now, is told once and stops nothing.
func TestCourierNoPlace(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	write(t, c.path("hosts"), "in the way")
	s, said := c.visit(t, "192.168.4.91", "52:54:00:00:00:01", "a")
	s.arrive()
	s.depart(t.Context(), nil)
	if strings.Count(*said, "cannot leave the facts of this host on the stick") != 1 {
		t.Errorf("%q", *said)
	}

	c = stickWith(t, nil)
	s, said = c.visit(t, "192.168.4.91", "52:54:00:00:00:01", "a")
	s.arrive()
	s.waits(t.Context())
	if err := os.Rename(c.dir, c.dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil { // the mount point
		t.Fatal(err)
	}
	s.depart(t.Context(), nil)
	if sheetsIn(t, c.dir) != nil || strings.Contains(*said, "warn") || !strings.Contains(*said, "is not on the stick") {
		t.Errorf("on the host's own disk: %v, said %q", sheetsIn(t, c.dir), *said)
	}
	list, bad := facts.ReadSheets(media.At(c.dir + ".away"))
	if bad != nil || len(list) != 1 || list[0].Result.Says != "it waits for its master" {
		t.Errorf("%+v, %v", list, bad)
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

// TestCourierRefused: a host whose checks fail leaves its sheet and is not
// changed; plan and preflight leave nothing.
func TestCourierRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Settings{Archive: bundleOf(t, dir), Role: manifest.Master}
	h, m := hosttest.New(t)
	m.Write(t, "/proc/sys/kernel/hostname", "a\n", "/sys/class/net/eth0/address", "52:54:00:00:00:01\n", "/run/kubecrate.lock", "")
	m.Programs["rpm"] = func([]string, string) (string, error) { return "bash-0:4.2.46-34.el7.x86_64\n", nil }
	var failed *preflight.Error
	if _, err := MakePlan(t.Context(), h, o); err != nil {
		t.Logf("plan: %v", err)
	}
	if _, err := Preflight(t.Context(), h, o); !errors.As(err, &failed) || sheetsIn(t, dir) != nil {
		t.Fatalf("preflight: %v, on the stick %v", err, sheetsIn(t, dir))
	}
	if _, err := Run(t.Context(), h, o); !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if there, err := h.Exists(step.Dir); there || err != nil {
		t.Errorf("a refused host has %s: %v", step.Dir, err)
	}
	text, err := os.ReadFile(dir + "/hosts/a-000001.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := facts.Parse(text)
	if err != nil || !f.Signed() || f.Result.Ready || !strings.HasPrefix(f.Result.Says, "checks before the installation failed: ") || len(f.Packages) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}
