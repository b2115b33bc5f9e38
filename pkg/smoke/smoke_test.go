package smoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/progress"
)

// text is a report as a person sees it.
func text(t *testing.T, r *Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAllWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, w := newWorld(t)
		var events []string
		r, err := Run(t.Context(), h, w.options(), func(e progress.Event) {
			events = append(events, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Task, " ", e.Text)))
		})
		if err != nil || r.Err() != nil {
			t.Fatalf("%v, %v", err, r.Err())
		}
		want := `ok  nodes    3 nodes are Ready, v1.17.4
ok  system   3 system pods are Ready
ok  pods     3 pods on 3 nodes
ok  web      3 pods, the service 10.96.4.4 and port 30080 on 3 nodes answer
ok  network  pods reach each other across 3 nodes
ok  dns      names resolve on 3 nodes
ok  proxy    kube-proxy uses mode ipvs
ok  pulls    no image pulls were attempted
ok  cleanup  test pods removed
`
		if got := text(t, r); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		if w.namespace || w.creations != 1 {
			t.Errorf("namespace %v, %d creations", w.namespace, w.creations)
		}
		for _, want := range []string{"start pods", "note pods waiting (2s of 5m0s): the pod on node2: ContainerCreating", "done proxy kube-proxy uses mode ipvs"} {
			if !strings.Contains(strings.Join(events, "\n")+"\n", want+"\n") {
				t.Errorf("no event %q in\n%s", want, strings.Join(events, "\n"))
			}
		}
	})
}

// TestTroubles: each thing that can be wrong, what is said and what fixes it.
func TestTroubles(t *testing.T) {
	t.Parallel()
	const lookup = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n"
	for _, c := range []struct {
		name   string
		change func(*world, *Options)
		want   []string // lines of the report
	}{
		{"a node is missing", func(_ *world, o *Options) { o.Nodes = []string{"master1", "node1", "node2", "node3"} },
			[]string{"failed nodes node3 is not in the cluster", "hint: on node3, with the stick: ./install", "ok pods 3 pods on 3 nodes"}},
		{"a node has no network", func(w *world, _ *Options) {
			w.nodes[2].unready = "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized"
		}, []string{"failed nodes node2 is not Ready: KubeletNotReady: runtime network not ready", "hint: on a master: kubectl --namespace=kube-system get pods --output=wide; the network's pod on node2 must be running", "ok pods 2 pods on 2 nodes"}},
		{"a kubelet is gone", func(w *world, _ *Options) { w.nodes[1].unready = "Kubelet stopped posting node status." },
			[]string{"failed nodes node1 is not Ready", "hint: on node1: systemctl restart kubelet"}},
		{"another version", func(w *world, _ *Options) { w.nodes[1].version = "v1.17.3" },
			[]string{"failed nodes node1 runs kubelet v1.17.3, the bundle has v1.17.4", "hint: on node1: kubelet --version"}},
		{"no node at all", func(w *world, _ *Options) { w.nodes = nil },
			[]string{"failed nodes the cluster has no nodes", "skipped pods no node is Ready", "skipped web", "skipped network", "skipped dns", "skipped cleanup nothing to remove"}},
		{"the API server is down", func(w *world, _ *Options) {
			w.broken["--kubeconfig"] = "The connection to the server 192.168.4.11:6443 was refused"
		}, []string{"failed nodes kubectl --kubeconfig=/etc/kubernetes/admin.conf", "hint: the API server does not answer", "skipped pods"}},
		{"CoreDNS crashes", func(w *world, _ *Options) {
			w.system[0] = podObject("kube-system", "coredns-1", "master1", "", map[string]string{"k8s-app": "kube-dns"}, "CrashLoopBackOff: back-off 40s restarting", 4)
			w.system[0]["status"].(object)["containerStatuses"].([]object)[0]["lastState"] = object{"terminated": object{"exitCode": 1, "reason": "Error"}}
		}, []string{"failed system kube-system/coredns-1 is not Ready: CrashLoopBackOff: back-off 40s restarting (it exited before with code 1, Error)",
			"kube-system/coredns-1 was restarted 4 times", "hint: kubectl logs --previous --namespace=kube-system coredns-1"}},
		{"no CoreDNS", func(w *world, _ *Options) { w.system = w.system[1:] },
			[]string{"failed system there are no CoreDNS pods", "hint: kubectl --namespace=kube-system describe deployment coredns"}},
		{"an image of the system is missing", func(w *world, _ *Options) {
			w.system[0] = podObject("kube-system", "kube-flannel-ds-x", "node1", "", map[string]string{"k8s-app": "kube-dns"}, "ImagePullBackOff: Back-off pulling image", 0)
		}, []string{"failed system kube-system/kube-flannel-ds-x is not Ready: ImagePullBackOff", "hint: on node1: ./install load"}},
		{"an address of another network", func(w *world, _ *Options) { w.system[0]["status"].(object)["podIP"] = "10.88.0.3" },
			[]string{"failed system kube-system/coredns-1 has the address 10.88.0.3, which is not in the pod network 10.244.0.0/16", "hint: on master1, remove other networks from /etc/cni/net.d; then: kubectl --namespace=kube-system delete pod coredns-1"}},
		{"another network's pods count", func(w *world, _ *Options) {
			w.system = append(w.system, podObject("kube-flannel", "f", "node1", "", nil, "CreateContainerConfigError: no config", 0), podObject("default", "mine", "node1", "", nil, "ErrImagePull: x", 0))
		}, []string{"failed system kube-flannel/f is not Ready: CreateContainerConfigError: no config", "hint: kubectl describe pod --namespace=kube-flannel f"}},
		{"a namespace of calico", func(w *world, _ *Options) {
			w.system = append(w.system, podObject("calico-system", "c", "node1", "", nil, "ErrImagePull: x", 0), podObject("mesh-system", "m", "node1", "", nil, "ErrImagePull: x", 0))
		}, []string{"failed system calico-system/c is not Ready: ErrImagePull: x\n"}},
		{"a made-up network", func(w *world, o *Options) {
			o.Network, o.Networks = "mesh", append(cni.All(), cni.Network{Name: "mesh", Namespaces: []string{"mesh-"}, Hint: "mesh doctor", Record: cni.Record{File: "/run/mesh/env"}})
			w.system = append(w.system, podObject("mesh-system", "m", "node1", "", nil, "ContainerCreating: open /run/mesh/env: no such file", 0))
			w.deaf["10.244.1.7:80"] = ""
		}, []string{"failed system mesh-system/m is not Ready: ContainerCreating: open /run/mesh/env: no such file", "hint: kubectl --namespace=kube-system get pods --output=wide; the network's pod on node1 must be running",
			"failed web the pod on node1 does not answer at 10.244.1.7:80: connection refused", "hint: mesh doctor"}},
		{"a network that nobody knows", func(w *world, o *Options) { o.Network, w.deaf["10.244.1.7:80"] = "nosuch", "" },
			[]string{"failed web the pod on node1 does not answer at 10.244.1.7:80: connection refused", "hint: kubectl --namespace=kube-system get pods --output=wide; the network's pod on each node must be running"}},
		{"no image on a node", func(w *world, _ *Options) {
			w.nodes[1].bad = `ErrImageNeverPull: Container image "nginx:1.14-alpine" is not present with pull policy of Never`
		}, []string{"failed pods node1 has no image nginx:1.14-alpine", "hint: on node1: ./install load", "ok web 2 pods, the service 10.96.4.4 and port 30080 on 3 nodes answer", "ok cleanup"}},
		{"a pod does not start", func(w *world, _ *Options) {
			w.nodes[1].bad = "ContainerCreating"
			for at, said := range map[string]string{"2020-03-12T10:00:00Z": "old", "2020-03-12T10:05:00Z": "failed to pull image k8s.gcr.io/pause:3.1"} {
				w.events = append(w.events, object{"type": "Warning", "message": said, "lastTimestamp": at, "involvedObject": object{"name": "web-node1"}})
			}
		}, []string{"failed pods the pod on node1 did not start: ContainerCreating; failed to pull image k8s.gcr.io/pause:3.1", "hint: on node1: ./install load"}},
		{"a pod cannot be made", func(w *world, _ *Options) { w.broken["create"] = "Error from server (Forbidden): quota" },
			[]string{"failed pods cannot create the test pods: kubectl", "skipped web no test pod is running", "ok cleanup"}},
		{"a namespace of somebody else", func(w *world, _ *Options) { w.namespace, w.foreign = true, true },
			[]string{"failed pods cannot remove the test pods: namespace kubecrate-smoke exists and was not created by install"}},
		{"no way to a pod", func(w *world, _ *Options) { w.deaf["10.244.1.7:80"] = "" },
			[]string{"failed web the pod on node1 does not answer at 10.244.1.7:80: connection refused", "hint: check that UDP 8472 is open"}},
		{"no services", func(w *world, _ *Options) { w.deaf["10.96.4.4:80"] = "" },
			[]string{"failed web the service does not answer at 10.96.4.4:80", "hint: kubectl --namespace=kube-system logs --selector=k8s-app=kube-proxy"}},
		{"another web server", func(w *world, _ *Options) { w.deaf["192.168.4.12:30080"] = "HTTP/1.1 404 Not Found\r\n\r\n" },
			[]string{"failed web the node port on node1 does not answer at 192.168.4.12:30080: it answers 404 Not Found", "hint: on node1: iptables -S INPUT"}},
		{"no HTTP", func(w *world, _ *Options) {
			w.deaf["192.168.4.12:30080"], w.deaf["192.168.4.13:30080"] = "SSH-2.0-OpenSSH_7.4\r\n", ""
		}, []string{`failed web the node port on node1 does not answer at 192.168.4.12:30080: it answers "SSH-2.0-OpenSSH_7.4\r", which is not HTTP, and 1 more`,
			"the node port on node2 does not answer at 192.168.4.13:30080: connection refused; hint: on node2"}},
		{"no way between nodes", func(w *world, _ *Options) {
			w.wget = func(node, url string) error {
				if node == "node2" && strings.Contains(url, "10.244.0.7") {
					return &hosttest.Exit{Code: 1, Stderr: "wget: download timed out\ncommand terminated with exit code 1"}
				}
				return nil
			}
		}, []string{"failed network the pod on node2 cannot reach the pod on master1 at http://10.244.0.7:80/: wget: download timed out", "hint: check that UDP 8472 is open"}},
		{"one node", func(w *world, _ *Options) { w.nodes = w.nodes[:1] }, []string{"skipped network test pods are running on 1 node only", "ok dns names resolve on 1 node"}},
		{"no DNS", func(w *world, _ *Options) {
			w.lookup = func(node string) (string, error) {
				if node == "node1" {
					return "", &hosttest.Exit{Code: 1, Stderr: ";; connection timed out; no servers could be reached\n\ncommand terminated with exit code 1"}
				}
				return lookup + "Name:\tkubernetes.default.svc.cluster.local\nAddress: 10.96.0.1\n\n*** Can't find kubernetes.default.svc.cluster.local: No answer\n", &hosttest.Exit{Code: 1}
			}
		}, []string{"failed dns the pod on node1 cannot resolve kubernetes.default.svc.cluster.local: ;; connection timed out; no servers could be reached", "hint: kubectl --namespace=kube-system logs --selector=k8s-app=kube-dns"}},
		{"another DNS", func(w *world, _ *Options) {
			w.lookup = func(string) (string, error) { return lookup + "Name: x\nAddress: 198.18.0.1\n", nil }
		}, []string{"failed dns the pod on master1 cannot resolve kubernetes.default.svc.cluster.local: got 198.18.0.1, want 10.96.0.1, and 2 more"}},
		{"a name of a service", func(w *world, o *Options) {
			o.Domain = "lab.local"
			w.wget = func(_, url string) error {
				if url == "http://web.kubecrate-smoke/" {
					return &hosttest.Exit{Code: 1, Stderr: "wget: bad address 'web.kubecrate-smoke'"}
				}
				return nil
			}
		}, []string{"failed dns the pod on master1 cannot reach the service by its name at http://web.kubecrate-smoke/: wget: bad address", "ok network"}},
		{"no ip_vs in the kernel", func(w *world, _ *Options) { w.mode = "iptables"; w.removeIPVS() },
			[]string{"warning proxy this host's kernel has no ip_vs: kube-proxy uses mode iptables"}},
		{"a silent fallback", func(w *world, _ *Options) { w.mode = "iptables" },
			[]string{"failed proxy kube-proxy on this host uses mode iptables, not ipvs", "hint: modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh, then kubectl --namespace=kube-system delete pods --selector=k8s-app=kube-proxy"}},
		{"a fallback elsewhere", func(w *world, _ *Options) {
			w.log = func(node string) string { return map[string]string{"node1": "I1 x] Using iptables Proxier.\n"}[node] }
		}, []string{"failed proxy kube-proxy on node1 uses mode iptables, not ipvs", "hint: on node1, load the modules: ./install --role node"}},
		{"ipvs, unasked", func(_ *world, o *Options) { o.ProxyMode = "iptables" }, []string{"failed proxy kube-proxy on this host uses mode ipvs, not iptables, and 1 more"}},
		{"any mode", func(_ *world, o *Options) { o.ProxyMode = "" }, []string{"ok proxy kube-proxy uses mode ipvs"}},
		{"no kube-proxy", func(w *world, _ *Options) { w.deaf[proxyStatus] = "" },
			[]string{"failed proxy cannot read the mode of this host's kube-proxy from 127.0.0.1:10249: connection refused"}},
		{"a pull", func(w *world, _ *Options) {
			w.event("Pulling", `Pulling image "nginx:1.14-alpine"`)
			w.event("Pulled", `Successfully pulled image "nginx:1.14-alpine"`)
		}, []string{"failed pulls a pull of nginx:1.14-alpine was attempted for pod kube-system/coredns-1 on node1", "hint: on node1: ./install load"}},
		{"a pull of something else", func(w *world, _ *Options) {
			w.event("Failed", `Failed to pull image "shop:2": rpc error: code = Unknown`)
		},
			[]string{"warning pulls pulls of images that are not in the bundle were attempted: a pull of shop:2 was attempted"}},
		{"any pull", func(w *world, o *Options) { o.Images = nil; w.event("Pulling", `pulling image "shop:2"`) },
			[]string{"failed pulls a pull of shop:2 was attempted"}},
		{"it does not go", func(w *world, _ *Options) { w.broken["delete"] = "Error from server: etcdserver: request timed out" },
			[]string{"failed cleanup cannot remove the test pods", "etcdserver: request timed out", "hint: kubectl delete namespace kubecrate-smoke"}},
		{"leftovers", func(w *world, _ *Options) { w.namespace = true }, []string{"ok pods", "ok cleanup"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, w := newWorld(t)
				o := w.options()
				c.change(w, &o)
				r, err := Run(t.Context(), h, o, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := squeeze(text(t, r))
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("no %q in\n%s", want, got)
					}
				}
				failed := strings.Contains(strings.Join(c.want, "\n"), "failed ")
				if (r.Err() != nil) != failed {
					t.Errorf("the error is %v", r.Err())
				}
				if w.namespace && !w.foreign && w.broken["delete"] == "" {
					t.Error("the namespace is still there")
				}
			})
		})
	}
}

func (w *world) removeIPVS() {
	w.t.Helper()
	h := &host.Host{Root: w.root}
	if err := h.Put(ipvsFile, host.FileState{Absent: true}); err != nil {
		w.t.Fatal(err)
	}
}

// squeeze makes one blank of many.
func squeeze(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(out, "\n")
}

// TestStopped: whenever a run is stopped, what it made is removed.
func TestStopped(t *testing.T) {
	t.Parallel()
	errStop := errors.New("interrupted")
	for at := 1; ; at++ {
		over := false
		synctest.Test(t, func(t *testing.T) {
			h, w := newWorld(t)
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			calls := 0
			w.onCall = func(string) {
				if calls++; calls == at {
					stop(errStop)
				}
			}
			_, err := Run(ctx, h, w.options(), nil)
			if err == nil {
				over = true
				return
			}
			if !errors.Is(err, errStop) {
				t.Errorf("stopped at %d: %v", at, err)
			}
			if w.namespace && w.leaving == 0 {
				t.Errorf("stopped at %d: the namespace stays; %s", at, strings.Join(w.m.Calls(), "\n"))
			}
			w.onCall = nil
			r, err := Run(t.Context(), h, w.options(), nil)
			if err != nil || r.Err() != nil {
				t.Errorf("the run after one that was stopped at %d: %v, %v", at, err, r.Err())
			}
		})
		if over {
			if at < 20 {
				t.Errorf("only %d calls", at)
			}
			return
		}
	}
}

// TestOwnNode: with the kubelet's credentials this host sees only its own node.
func TestOwnNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, w := newWorld(t)
		if err := h.Put(kubectl.Admin, host.FileState{Absent: true}); err != nil {
			t.Fatal(err)
		}
		o := w.options()
		o.Node, o.Nodes = "node1", []string{"master1", "node1"}
		r, err := Run(t.Context(), h, o, nil)
		want := "ok  nodes   1 node is Ready, v1.17.4\nok  system  1 system pod is Ready\nok  proxy   kube-proxy uses mode ipvs\n"
		if err != nil || text(t, r) != want {
			t.Errorf("%v\n%s", err, text(t, r))
		}
		for _, c := range w.m.Calls() {
			if !strings.Contains(c, "--kubeconfig="+kubectl.Kubelet) {
				t.Errorf("called %s", c)
			}
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add("Name: x\nAddress 1: 10.96.0.1 x\nAddress:\n")
	f.Add("I1 x] Using ipvs Proxier.\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range lookedUp(s) {
			if a == (netip.Addr{}) {
				t.Error("no address")
			}
		}
		if m := usedMode(s); !strings.Contains(s, m) {
			t.Errorf("mode %q", m)
		}
	})
}

// TestMissingNode: a host of the list that has not joined fails the test, and is
// not waited for.
func TestMissingNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, w := newWorld(t)
		o := w.options()
		o.Nodes = []string{"master1", "node7", "node1", "node2", "node8"}
		began := time.Now()
		r, err := Run(t.Context(), h, o, nil)
		if err != nil || r.Err() == nil || !strings.Contains(text(t, r), "node7 is not in the cluster") || !strings.Contains(text(t, r), "node8 is not in the cluster") {
			t.Fatalf("%v\n%s", err, text(t, r))
		}
		if waited := time.Since(began); waited >= defaultWait {
			t.Errorf("it waited %s for hosts that nobody starts", waited)
		}
	})
}

// TestUnlistedNode: a node that is on no list is told, and fails nothing; without a
// list there is nothing to tell.
func TestUnlistedNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			listed []string
			told   bool
		}{{[]string{"master1", "node1"}, true}, {[]string{"master1", "node1", "node2"}, false}, {nil, false}} {
			h, w := newWorld(t)
			o := w.options()
			o.Nodes = c.listed
			r, err := Run(t.Context(), h, o, nil)
			if err != nil || r.Err() != nil {
				t.Fatalf("%v, %v", err, r.Err())
			}
			if got := strings.Contains(text(t, r), "node2 is in the cluster but not in its host list"); got != c.told {
				t.Errorf("listed %v: told %v\n%s", c.listed, got, text(t, r))
			}
		}
	})
}
