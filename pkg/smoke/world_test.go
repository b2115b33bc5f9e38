package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
)

// world is a double of a cluster: what kubectl reaches, and what its network
// answers.
type world struct {
	t     *testing.T
	root  string
	m     *hosttest.Machine
	nodes []*member
	namespace,
	foreign bool // the test's namespace is there, and not of ours
	leaving   int // questions until it is gone, once it is deleted
	creations int
	system    []map[string]any
	events    []map[string]any
	mode      string
	deaf      map[string]string // addresses that do not answer, and why
	broken    map[string]string // kubectl verbs that fail, and with what
	lookup    func(node string) (string, error)
	wget      func(node, url string) error
	log       func(node string) string
	onCall    func(line string)
}

// member is a node.
type member struct {
	name, address, podAddress string
	unready, version          string
	bad                       string // reason for which its pod waits
	slow                      int    // questions until its pod is Ready
}

func newWorld(t *testing.T) (*host.Host, *world) {
	t.Helper()
	h, m := hosttest.New(t)
	w := &world{t: t, root: h.Root, m: m, mode: "ipvs", deaf: map[string]string{}, broken: map[string]string{}}
	for i, name := range []string{"master1", "node1", "node2"} {
		w.nodes = append(w.nodes, &member{name: name, address: fmt.Sprintf("192.168.4.1%d", i+1), podAddress: fmt.Sprintf("10.244.%d.7", i), version: "v1.17.4", slow: i})
	}
	w.add("coredns-1", "master1", "10.244.0.2", map[string]string{"k8s-app": "kube-dns"})
	w.add("kube-proxy-1", "master1", "192.168.4.11", map[string]string{"k8s-app": "kube-proxy"})
	w.add("kube-proxy-2", "node1", "192.168.4.12", map[string]string{"k8s-app": "kube-proxy"})
	w.event("Pulled", `Container image "k8s.gcr.io/coredns:1.6.5" already present on machine`)
	w.lookup = func(string) (string, error) {
		return "nslookup: can't resolve '(null)': Name does not resolve\n\nName:      kubernetes.default.svc.cluster.local\nAddress 1: 10.96.0.1 kubernetes.default.svc.cluster.local\n", nil
	}
	w.wget = func(string, string) error { return nil }
	w.log = func(string) string { return "W1 x\nI0312 10:00:00.1 1 server_others.go:172] Using ipvs Proxier.\n" }
	m.Write(t, kubectl.Admin, "", kubectl.Kubelet, "", ipvsFile, "")
	m.Programs["kubectl"] = w.kubectl
	return h, w
}

func (w *world) options() Options {
	return Options{Node: "master1", Network: "flannel", Version: "v1.17.4", ProxyMode: "ipvs", PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), Dialer: w,
		Images: []string{"k8s.gcr.io/coredns:1.6.5", "docker.io/library/nginx:1.14-alpine"}}
}

type object = map[string]any

// add makes a pod of the system that works.
func (w *world) add(name, node, address string, labels map[string]string) {
	w.system = append(w.system, podObject("kube-system", name, node, address, labels, "", 0))
	if strings.HasPrefix(address, "192.") {
		w.system[len(w.system)-1]["spec"].(object)["hostNetwork"] = true
	}
}

func podObject(ns, name, node, address string, labels map[string]string, waits string, restarts int) object {
	status := object{"name": "c", "ready": waits == "", "restartCount": restarts, "state": object{"running": object{}}}
	ready, phase := "True", "Running"
	if waits != "" {
		reason, message, _ := strings.Cut(waits, ": ")
		status["state"] = object{"waiting": object{"reason": reason, "message": message}}
		ready, phase = "False", "Pending"
	}
	return object{"kind": "Pod", "metadata": object{"name": name, "namespace": ns, "labels": labels},
		"spec":   object{"nodeName": node},
		"status": object{"phase": phase, "podIP": address, "conditions": []object{{"type": "Ready", "status": ready}}, "containerStatuses": []object{status}}}
}

func (w *world) event(reason, message string) {
	w.events = append(w.events, object{"type": "Normal", "reason": reason, "message": message,
		"involvedObject": object{"kind": "Pod", "namespace": "kube-system", "name": "coredns-1"}, "source": object{"host": "node1"}})
}

func (w *world) kubectl(args []string, stdin string) (string, error) {
	line := strings.Join(args, " ")
	if w.onCall != nil {
		w.onCall(line)
	}
	for part, said := range w.broken {
		if strings.Contains(line, part) {
			return "", &hosttest.Exit{Code: 1, Stderr: said}
		}
	}
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--") && a != "--" })
	switch words[0] {
	case "get":
		return w.get(words[1:], line)
	case "create":
		return "", w.create(stdin)
	case "delete":
		w.leaving = 2
		return "", nil
	case "exec":
		return w.exec(words[1], words[3:])
	case "logs":
		node := strings.Replace(strings.Replace(words[1], "kube-proxy-1", "master1", 1), "kube-proxy-2", "node1", 1)
		return w.log(node), nil
	}
	return "", &hosttest.Exit{Code: 1, Stderr: "unknown command " + line}
}

func reply(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

func list(items []object) (string, error) { return reply(object{"kind": "List", "items": items}) }

func (w *world) get(words []string, line string) (string, error) {
	switch words[0] {
	case "nodes":
		var all []object
		for _, n := range w.nodes {
			all = append(all, n.object())
		}
		return list(all)
	case "node":
		for _, n := range w.nodes {
			if n.name == words[1] {
				return reply(n.object())
			}
		}
		return "", nil
	case "namespace":
		if w.leaving > 0 {
			if w.leaving--; w.leaving == 0 {
				w.namespace = false
			}
		}
		if !w.namespace {
			return "", nil
		}
		labels := map[string]string{ownerKey: ownerName}
		if w.foreign {
			labels = nil
		}
		return reply(object{"kind": "Namespace", "metadata": object{"name": namespace, "labels": labels}})
	case "service":
		address := map[string]string{"kubernetes": "10.96.0.1", webName: "10.96.4.4"}[words[1]]
		return reply(object{"spec": object{"clusterIP": address, "ports": []object{{"port": 80, "nodePort": 30080}}}})
	case "events":
		return list(w.events)
	case "pods":
		return w.pods(line)
	}
	return "", &hosttest.Exit{Code: 1, Stderr: "unknown resource " + line}
}

func (w *world) pods(line string) (string, error) {
	all := w.system
	switch {
	case strings.Contains(line, "--namespace="+namespace):
		all = nil
		for _, n := range w.nodes {
			waits := n.bad
			if n.slow--; n.slow >= 0 && waits == "" {
				waits = "ContainerCreating"
			}
			if n.unready == "" {
				all = append(all, podObject(namespace, "web-"+n.name, n.name, n.podAddress, nil, waits, 0))
			}
		}
	case strings.Contains(line, "--field-selector=spec.nodeName="):
		_, node, _ := strings.Cut(line, "spec.nodeName=")
		node, _, _ = strings.Cut(node, " ")
		all = slices.DeleteFunc(slices.Clone(all), func(p object) bool { return p["spec"].(object)["nodeName"] != node })
	case strings.Contains(line, "k8s-app=kube-proxy"):
		all = slices.DeleteFunc(slices.Clone(all), func(p object) bool {
			return !strings.HasPrefix(p["metadata"].(object)["name"].(string), "kube-proxy")
		})
	}
	return list(all)
}

func (n *member) object() object {
	ready := object{"type": "Ready", "status": "True", "reason": "KubeletReady"}
	if n.unready != "" {
		ready = object{"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": n.unready}
	}
	return object{"kind": "Node", "metadata": object{"name": n.name}, "status": object{"conditions": []object{{"type": "MemoryPressure", "status": "False"}, ready},
		"addresses": []object{{"type": "Hostname", "address": n.name}, {"type": "InternalIP", "address": n.address}}, "nodeInfo": object{"kubeletVersion": n.version}}}
}

func (w *world) create(stdin string) error {
	if w.namespace {
		return &hosttest.Exit{Code: 1, Stderr: `Error from server (AlreadyExists): namespaces "kubecrate-smoke" already exists`}
	}
	var made struct {
		Items []struct {
			Kind string
			Spec struct{ Template struct{ Spec podSpec } }
		}
	}
	if err := json.Unmarshal([]byte(stdin), &made); err != nil {
		return err
	}
	if len(made.Items) != 3 || made.Items[1].Spec.Template.Spec.Containers[0].PullPolicy != "Never" {
		w.t.Errorf("made %s", stdin)
	}
	w.namespace = true
	w.creations++
	return nil
}

func (w *world) exec(pod string, argv []string) (string, error) {
	node := strings.TrimPrefix(pod, "web-")
	switch argv[0] {
	case "nslookup":
		return w.lookup(node)
	case "wget":
		return "", w.wget(node, argv[len(argv)-1])
	}
	return "", &hosttest.Exit{Code: 126, Stderr: "exec failed: " + argv[0]}
}

var errRefused = errors.New("connection refused")

// DialContext is Dialer's.
func (w *world) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	said, deaf := w.deaf[address]
	if deaf && said == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		buf := make([]byte, 1024)
		n, err := theirs.Read(buf)
		if err != nil {
			return
		}
		answer := "HTTP/1.1 200 OK\r\nServer: nginx/1.14.2\r\n\r\n<h1>Welcome</h1>\n"
		switch {
		case deaf:
			answer = said
		case address == proxyStatus && strings.HasPrefix(string(buf[:n]), "GET /proxyMode HTTP/1.1\r\n"):
			answer = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + w.mode
		}
		if _, err := theirs.Write([]byte(answer)); err != nil {
			w.t.Errorf("%s: %v", address, err)
		}
	}()
	return ours, nil
}
