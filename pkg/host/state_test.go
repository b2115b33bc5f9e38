package host_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

func TestState(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/fstab", "x")
	w := h.With(&tape{})
	const file, other = host.StateDir + "/kubeadm.json", host.StateDir + "/copies/join.yaml"
	var v struct{ Node string }
	if found, err := h.State().ReadJSON(file, &v); found || err != nil {
		t.Errorf("one that is missing: %v, %v", found, err)
	}
	if err := w.State().Remove(file); err != nil {
		t.Errorf("removing one that is missing: %v", err)
	}
	v.Node = "a"
	for range 2 {
		if err := errors.Join(w.State().WriteJSON(file, v), w.State().Write(other, []byte("secret"))); err != nil {
			t.Fatal(err)
		}
	}
	v.Node = ""
	if found, err := h.State().ReadJSON(file, &v); !found || err != nil || v.Node != "a" {
		t.Errorf("%v, %v, %q", found, err, v.Node)
	}
	for path, want := range map[string]os.FileMode{host.StateDir: 0o700 | os.ModeDir, file: 0o600, other: 0o600} {
		if info, err := os.Stat(h.Path(path)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if list, err := h.State().List(); err != nil || !slices.Equal(list, []string{host.StateDir + "/copies", file}) {
		t.Errorf("there are %q, %v", list, err)
	}
	m.Write(t, file, "{")
	if found, err := h.State().ReadJSON(file, &v); !found || err == nil {
		t.Errorf("a damaged one: %v, %v", found, err)
	}
	for name, err := range map[string]error{
		"read-only": h.State().Write(file, nil), "read-only, remove": h.State().Remove(file),
		"another's": w.State().Write("/etc/fstab", nil), "above": w.State().Remove(host.StateDir + "/../../../etc/fstab"),
		"the directory": w.State().Remove(host.StateDir), "beside": w.State().Write(host.StateDir+"2/a", nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := w.State().Remove(file, host.StateDir+"/copies"); err != nil || m.Read(t, "/etc/fstab") != "x" {
		t.Error(err)
	}
	if list, err := h.State().List(); err != nil || len(list) > 0 {
		t.Errorf("there are %q, %v", list, err)
	}
}
