package kubeadm

import (
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/step"
)

// besideAnother is a master whose kubelet found another network's configuration.
func besideAnother(t *testing.T, l Limits) (*world, Options) {
	t.Helper()
	w := newWorld(t)
	w.up = true
	o := Options{Version: "v1.17.4", Node: "master1", Cluster: manifest.DefaultCluster(), Limits: l}
	m, err := o.newRecord(t.Context(), w.h, verbInit, leftovers{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.write(w.h.With(forgetful{})); err != nil {
		t.Fatal(err)
	}
	w.m.Write(t, kubeletConf, w.kubeconfig(), AdminConf, w.kubeconfig())
	w.objects["/api/v1/nodes/master1"] = readyNode
	return w, o
}

// TestStrays: beside another network's configuration, a node is as it should be
// when its pods have addresses of the cluster's network, and not before.
func TestStrays(t *testing.T) {
	t.Parallel()
	w, o := besideAnother(t, Limits{Ready: 5 * time.Second, TakeUp: time.Nanosecond, Poll: time.Millisecond})
	const pods = "/api/v1/pods?fieldSelector=spec.nodeName%3Dmaster1"
	list := func(address string) string {
		return `{"items":[{"metadata":{"namespace":"kube-system","name":"coredns-1"},"status":{"podIP":"` + address + `"}},` +
			`{"metadata":{"namespace":"kube-system","name":"etcd"},"spec":{"hostNetwork":true},"status":{"podIP":"192.168.4.11"}}]}`
	}
	w.objects[pods] = list("10.88.0.2")
	st := w.check(Ready(o))
	if st.State != step.ToDo || !strings.Contains(st.What[0], "uses another network's configuration") {
		t.Errorf("%+v", st)
	}
	w.m.Write(t, cniDir+"/10-flannel.conflist", "{}")
	if st := w.check(Ready(o)); st.State != step.ToDo || !strings.Contains(st.What[0], "kube-system/coredns-1 (10.88.0.2)") {
		t.Errorf("%+v", st)
	}
	kubectl := w.m.Programs["kubectl"]
	deleted := 0
	w.m.Programs["kubectl"] = func(args []string, stdin string) (string, error) {
		if strings.Contains(strings.Join(args, " "), "delete pod coredns-1 --namespace=kube-system") {
			deleted++
			w.objects[pods] = list("10.244.0.2")
			return "", nil
		}
		return kubectl(args, stdin)
	}
	if err := w.run(Ready(o)); err != nil || deleted != 1 {
		t.Errorf("%v, %d pods were deleted", err, deleted)
	}
	if st := w.check(Ready(o)); st.State != step.Done {
		t.Errorf("then it is %+v", st)
	}
	// A pod without an address is on its way to a wrong one until the cluster's
	// configuration is there, and to a right one after.
	w.objects[pods] = list("")
	if st := w.check(Ready(o)); st.State != step.Done {
		t.Errorf("with a pod that has no address: %+v", st)
	}
	remove(w, cniDir+"/10-flannel.conflist")
	asked := 0
	w.m.OnCall = func(string) error {
		if asked++; asked == 5 {
			w.m.Write(t, cniDir+"/10-flannel.conflist", "{}")
		}
		return nil
	}
	if err := w.run(Ready(o)); err != nil || deleted != 2 {
		t.Errorf("%v, %d pods were deleted", err, deleted)
	}
}

// TestStraysAgain: the kubelet takes up a new configuration only some seconds
// after it is there, so that a pod that was started again may have an address of
// the other network once more; a node is Ready when that is over.
func TestStraysAgain(t *testing.T) {
	t.Parallel()
	w, o := besideAnother(t, Limits{Ready: time.Minute, TakeUp: time.Nanosecond, Restart: time.Minute, Poll: time.Millisecond})
	w.m.Write(t, cniDir+"/10-flannel.conflist", "{}")
	const pods = "/api/v1/pods?fieldSelector=spec.nodeName%3Dmaster1"
	// What the pod has at each look from the first deletion on.
	addresses, deleted := []string{"", "", "10.88.0.4", "", "10.244.0.2"}, 0
	kubectl := w.m.Programs["kubectl"]
	w.m.Programs["kubectl"] = func(args []string, stdin string) (string, error) {
		line := strings.Join(args, " ")
		switch {
		case strings.Contains(line, "delete pod"):
			deleted++
			return "", nil
		case strings.Contains(line, "fieldSelector"):
			address := "10.88.0.2"
			if deleted > 0 {
				address = addresses[0]
				addresses = addresses[min(1, len(addresses)-1):]
			}
			w.objects[pods] = `{"items":[{"metadata":{"namespace":"kube-system","name":"coredns-1"},"status":{"podIP":"` + address + `"}}]}`
		}
		return kubectl(args, stdin)
	}
	if err := w.run(Ready(o)); err != nil || deleted != 2 || len(addresses) != 1 {
		t.Errorf("%v, %d pods were deleted, %v are left", err, deleted, addresses)
	}
}

// TestStraysTakeUp: while the cluster's configuration is new, the kubelet may
// still give pods the other network's addresses, those among them that are bound
// to the node only now: a node without strays is Ready when that time is over.
func TestStraysTakeUp(t *testing.T) {
	t.Parallel()
	w, o := besideAnother(t, Limits{TakeUp: time.Hour})
	conf := cniDir + "/10-flannel.conflist"
	w.m.Write(t, conf, "{}")
	w.objects["/api/v1/pods?fieldSelector=spec.nodeName%3Dmaster1"] = `{"items":[]}`
	for age, want := range map[time.Duration]step.State{time.Minute: step.ToDo, 2 * time.Hour: step.Done, -time.Hour: step.Done} {
		at := time.Now().Add(-age)
		if err := os.Chtimes(w.h.Path(conf), at, at); err != nil {
			t.Fatal(err)
		}
		if st := w.check(Ready(o)); st.State != want {
			t.Errorf("written %s ago: %+v", age, st)
		}
	}
}
