package cni_test

import (
	"fmt"
	"testing"

	"kubecrate/pkg/cni"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	got, err := cni.Objects([]byte("apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: apps/v1, kind: DaemonSet}\n"))
	if want := "[{policy/v1beta1 PodSecurityPolicy} {apps/v1 DaemonSet}]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if _, err := cni.Objects([]byte("a: [")); err == nil {
		t.Error("what is not YAML was taken")
	}
}
