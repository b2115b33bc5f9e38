package install

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/trust/trusttest"
)

// signedBy writes an empty archive and signs it; a nil key leaves that out.
func signedBy(t *testing.T, k *trust.SecretKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tar.zst")
	if _, err := archive.WriteFile(t.Context(), path, archive.CreateOptions{Name: "x", Level: archive.Fast}, nil); err != nil {
		t.Fatal(err)
	}
	if k != nil {
		trusttest.Sign(t, k, path)
	}
	return path
}

// TestTrust: the first key is told and kept once the host is changed, another one
// is refused by everything that opens an archive, and reset forgets.
func TestTrust(t *testing.T) {
	t.Parallel()
	var keys [2]*trust.SecretKey
	for i := range keys {
		var err error
		if keys[i], err = trust.GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	first, second := signedBy(t, keys[0]), signedBy(t, keys[1])
	h, _ := hosttest.New(t)
	open := func(path string, o trust.Options) (*trust.Trusted, string, error) {
		var said string
		_, closer, who, err := OpenArchive(h, Media{Archive: path, Trust: o}, func(e progress.Event) { said += e.Text })
		if err == nil {
			err = closer.Close()
		}
		return who, said, err
	}
	who, said, err := open(first, trust.Options{})
	if err != nil || who.Origin != trust.FirstUse || !strings.Contains(said, keys[0].Public().Fingerprint()) {
		t.Fatalf("first use: %+v, %q, %v", who, said, err)
	}
	r := &run{host: h, bundle: &bundle{trusted: who, lock: &manifest.Lock{}, manifest: &manifest.Manifest{}}}
	r.target.Cluster, r.target.Role = manifest.DefaultCluster(), manifest.Master
	if err := r.saveState(false); err != nil {
		t.Fatal(err)
	}
	if who, _, err := open(first, trust.Options{}); err != nil || who.Origin != trust.Known {
		t.Errorf("the second time: %+v, %v", who, err)
	}
	for name, path := range map[string]string{"another key": second, "no key": signedBy(t, nil)} {
		var bad *trust.UntrustedError
		if _, _, err := open(path, trust.Options{}); !errors.As(err, &bad) || bad.ExitCode() != 4 || !strings.Contains(err.Error(), keys[0].Public().Fingerprint()) {
			t.Errorf("%s: %v", name, err)
		}
		saved := &target.State{Bundle: "x", Cluster: manifest.DefaultCluster(), Role: manifest.Master}
		if _, err := reopen(t.Context(), h, Media{Archive: path}, Caller{}, saved, "", terms{}); !errors.As(err, &bad) {
			t.Errorf("%s, by status: %v", name, err)
		}
		if _, err := Run(t.Context(), h, RunRequest{Media: Media{Archive: path}, Host: target.Request{Role: manifest.Master}}); !errors.As(err, &bad) {
			t.Errorf("%s, by run: %v", name, err)
		}
	}
	if err := removeState(h); err != nil {
		t.Fatal(err)
	}
	if there, err := h.Exists(step.Dir); there || err != nil {
		t.Errorf("%s is there after a reset: %v", step.Dir, err)
	}
	if who, _, err := open(second, trust.Options{Key: keys[1].Public().String()}); err != nil || who.Origin != trust.Pinned {
		t.Errorf("after a reset: %+v, %v", who, err)
	}
}
