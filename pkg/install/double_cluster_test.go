package install

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/host/hosttest"
)

type object = map[string]any

// api is a double of a cluster: its API server keeps objects, and its network
// answers. Objects are known by RESOURCE/NAMESPACE/NAME, as "nodes//master1".
type api struct {
	t  *testing.T
	mu sync.Mutex

	up      bool
	ca, key []byte // PEM
	cert    tls.Certificate
	objects map[string]object
	mode    string // of kube-proxy
	deaf    bool   // nothing but the API server answers
}

func newAPI(t *testing.T) *api {
	a := &api{t: t, objects: map[string]object{}, mode: "ipvs"}
	a.certify(nil, nil)
	return a
}

// certify gives the API server a certificate of a CA: a given one, or its own.
func (a *api) certify(ca, key []byte) {
	a.t.Helper()
	must := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(err)
	secret, err := x509.MarshalECPrivateKey(private)
	must(err)
	a.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	a.ca, a.key = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	if len(ca) > 0 {
		a.ca, a.key = ca, key
	}
}

func (a *api) kubeconfig(server string) string {
	return "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " + base64.StdEncoding.EncodeToString(a.ca) +
		"\n    server: https://" + server + "\n  name: kubernetes\n"
}

func (a *api) put(id string, o object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	parts := strings.SplitN(id, "/", 3)
	meta, _ := o["metadata"].(object)
	if meta == nil {
		meta = object{}
	}
	meta["name"] = parts[2]
	if parts[1] != "" {
		meta["namespace"] = parts[1]
	}
	o["metadata"] = meta
	a.objects[id] = o
}

func (a *api) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.objects[id]
	return ok
}

// ids are those that begin so.
func (a *api) ids(prefix string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a.objects)), func(id string) bool { return !strings.HasPrefix(id, prefix) })
}

func (a *api) drop(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.objects, id)
}

func (a *api) get(id string) object {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[id]
}

func (a *api) node(name, address string, master bool) {
	labels := object{}
	if master {
		labels["node-role.kubernetes.io/master"] = ""
	}
	a.put("nodes//"+name, object{"kind": "Node", "metadata": object{"labels": labels}, "spec": object{"podCIDR": "10.244.0.0/24"},
		"status": object{"conditions": []object{{"type": "Ready", "status": "True"}},
			"addresses": []object{{"type": "InternalIP", "address": address}}, "nodeInfo": object{"kubeletVersion": "v1.17.4"}}})
	a.put("pods/kube-system/kube-proxy-"+name, podOf(name, address, "kube-proxy", true))
}

func podOf(node, ip, app string, hostNetwork bool) object {
	return object{"kind": "Pod", "metadata": object{"labels": object{"k8s-app": app}}, "spec": object{"nodeName": node, "hostNetwork": hostNetwork},
		"status": object{"phase": "Running", "podIP": ip, "conditions": []object{{"type": "Ready", "status": "True"}},
			"containerStatuses": []object{{"name": "c", "ready": true, "state": object{"running": object{}}}}}}
}

// token makes a bootstrap token as kubeadm does, published by the controller.
func (a *api) token(token, ttl, description string) {
	id, secret, _ := strings.Cut(token, ".")
	life, err := time.ParseDuration(ttl)
	if err != nil {
		a.t.Errorf("ttl %q: %v", ttl, err)
	}
	data := object{"token-id": []byte(id), "token-secret": []byte(secret), "expiration": []byte(time.Now().Add(life).Format(time.RFC3339)),
		"description": []byte(description), "usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-signing": []byte("true")}
	a.put("secrets/kube-system/bootstrap-token-"+id, object{"kind": "Secret", "type": "bootstrap.kubernetes.io/token", "data": data})
}

func (a *api) tokens() []string { return a.ids("secrets/kube-system/bootstrap-token-") }

func refused() error {
	return &hosttest.Exit{Code: 1, Stderr: "The connection to the server 192.168.4.11:6443 was refused - did you specify the right host or port?"}
}

func notFound(what string) error {
	return &hosttest.Exit{Code: 1, Stderr: "Error from server (NotFound): " + what + " not found"}
}

func reply(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// kubectl is that of a host, which needs the kubeconfig that it names.
func (a *api) kubectl(read func(path string) string) hosttest.Program {
	return func(args []string, stdin string) (string, error) {
		var words []string
		config, raw, selector, namespace := "", "", "", ""
		for i := 0; i < len(args); i++ {
			flag, value, valued := strings.Cut(args[i], "=")
			take := func() string {
				if valued || i+1 == len(args) {
					return value
				}
				i++
				return args[i]
			}
			switch flag {
			case "--kubeconfig":
				config = take()
			case "--raw":
				raw = take()
			case "--request-timeout", "--namespace", "-n", "--selector", "-l", "--field-selector", "--filename", "-f", "--output", "-o":
				v := take()
				switch flag {
				case "--namespace", "-n":
					namespace = v
				case "--selector", "-l":
					_, selector, _ = strings.Cut(v, "=")
				}
			case "--":
				words = append(words, args[i+1:]...)
				i = len(args)
			default:
				if !strings.HasPrefix(flag, "--") {
					words = append(words, args[i])
				}
			}
		}
		if read(config) == "" {
			return "", &hosttest.Exit{Code: 1, Stderr: "error: stat " + config + ": no such file or directory"}
		}
		if !a.up {
			return "", refused()
		}
		return a.verb(words, raw, namespace, selector, stdin)
	}
}

func (a *api) verb(words []string, raw, namespace, selector, stdin string) (string, error) {
	switch words[0] {
	case "get":
		switch {
		case raw != "":
			return a.raw(raw)
		case len(words) > 1:
			return a.list(words[1:], namespace, selector)
		}
		in, err := a.decode(stdin)
		if err != nil {
			return "", err
		}
		var found []object
		for _, id := range slices.Sorted(maps.Keys(in)) {
			if o := a.get(id); o != nil {
				found = append(found, o)
			}
		}
		if len(found) == 0 {
			return "", nil
		}
		return reply(object{"kind": "List", "items": found})
	case "apply", "replace", "create":
		in, err := a.decode(stdin)
		if err != nil {
			return "", err
		}
		for id, o := range in {
			a.put(id, o)
			a.follow(id)
		}
		return "", nil
	case "delete":
		return "", a.remove(words[1:], namespace)
	case "exec":
		if words[len(words)-2] == "nslookup" {
			return "Name:      kubernetes.default.svc.cluster.local\nAddress 1: 10.96.0.1 kubernetes.default.svc.cluster.local\n", nil
		}
		return "", nil
	case "logs":
		return "I0312 10:00:00.1 1 server_others.go:172] Using " + a.mode + " Proxier.\n", nil
	case "rollout":
		return "", nil
	}
	return "", &hosttest.Exit{Code: 1, Stderr: "Error: unknown command " + strings.Join(words, " ")}
}

// follow is what controllers do of a new object: a DaemonSet has a pod on every node.
func (a *api) follow(id string) {
	if id != "daemonsets/kubecrate-smoke/web" {
		return
	}
	a.put("services/kubecrate-smoke/web", object{"kind": "Service", "spec": object{"clusterIP": "10.96.4.4", "ports": []object{{"port": 80, "nodePort": 30080}}}})
	for i, n := range a.ids("nodes//") {
		node := strings.TrimPrefix(n, "nodes//")
		a.put("pods/kubecrate-smoke/web-"+node, podOf(node, fmt.Sprintf("10.244.%d.7", i), "web", false))
	}
}

func (a *api) remove(words []string, namespace string) error {
	kind, name, _ := strings.Cut(words[0], "/")
	if len(words) > 1 {
		name = words[1]
	}
	if kind == "namespace" {
		for _, id := range a.ids("") {
			if parts := strings.Split(id, "/"); parts[1] == name || id == "namespaces//"+name {
				a.drop(id)
			}
		}
		return nil
	}
	id := resourceOf(kind) + "/" + namespace + "/" + name
	if !a.has(id) {
		return notFound(id)
	}
	a.drop(id)
	return nil
}

func resourceOf(kind string) string {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ".")
	if strings.HasSuffix(kind, "y") {
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return strings.TrimSuffix(kind, "s") + "s"
}

// decode reads a stream of YAML or JSON, lists included.
func (a *api) decode(stream string) (map[string]object, error) {
	all := map[string]object{}
	var add func(o object)
	add = func(o object) {
		if items, ok := o["items"].([]any); ok {
			for _, i := range items {
				add(i.(object))
			}
			return
		}
		kind, _ := o["kind"].(string)
		meta, _ := o["metadata"].(object)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		all[resourceOf(kind)+"/"+namespace+"/"+name] = o
	}
	for d := yaml.NewDecoder(strings.NewReader(stream)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if o != nil {
			add(o)
		}
	}
}

// raw is kubectl get --raw PATH.
func (a *api) raw(path string) (string, error) {
	path, query, _ := strings.Cut(path, "?")
	if path == "/healthz" || path == "/readyz" || path == "/livez" {
		return "ok", nil
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	// api/v1/..., or apis/GROUP/VERSION/...
	skip := 2
	if parts[0] == "apis" {
		skip = 3
	}
	parts = parts[skip:]
	namespace := ""
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	id := parts[0] + "/" + namespace + "/"
	if len(parts) > 1 {
		if o := a.get(id + parts[1]); o != nil {
			return reply(o)
		}
		return "", notFound(path)
	}
	items := []object{}
	for _, i := range a.ids(id) {
		o := a.get(i)
		if strings.Contains(query, "type") && o["type"] != "bootstrap.kubernetes.io/token" {
			continue
		}
		items = append(items, o)
	}
	return reply(object{"kind": "List", "items": items})
}

func (a *api) list(words []string, namespace, selector string) (string, error) {
	kind, name, _ := strings.Cut(words[0], "/")
	if len(words) > 1 {
		name = words[1]
	}
	resource := resourceOf(kind)
	if resource == "nodes" || resource == "namespaces" {
		namespace = ""
	}
	if name != "" {
		if o := a.get(resource + "/" + namespace + "/" + name); o != nil {
			return reply(o)
		}
		return "", nil // --ignore-not-found
	}
	items := []object{}
	for _, id := range a.ids(resource + "/" + namespace) {
		o := a.get(id)
		labels, _ := o["metadata"].(object)["labels"].(object)
		if selector == "" || slices.Contains(slices.Collect(maps.Values(labels)), any(selector)) || resource == "pods" && strings.HasPrefix(fmt.Sprint(o["spec"].(object)["nodeName"]), selector) {
			items = append(items, o)
		}
	}
	return reply(object{"kind": "List", "items": items})
}

// DialContext is that of a host in the cluster's network.
func (a *api) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	isAPI := strings.HasSuffix(address, ":6443")
	if isAPI && !a.up || !isAPI && a.deaf {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	ours, theirs := net.Pipe()
	go a.serve(theirs, isAPI, address)
	return ours, nil
}

var errRefused = errors.New("connection refused")

func (a *api) serve(c net.Conn, isAPI bool, address string) {
	defer c.Close()
	if isAPI {
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{a.cert}, MinVersion: tls.VersionTLS12})
		defer c.Close()
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	body := "<h1>Welcome to nginx!</h1>\n"
	switch {
	case isAPI && strings.Contains(line, "/configmaps/cluster-info"):
		data := object{"kubeconfig": a.kubeconfig("192.168.4.11:6443")}
		for _, id := range a.tokens() {
			data["jws-kubeconfig-"+id[strings.LastIndex(id, "-")+1:]] = "x"
		}
		body, _ = reply(object{"kind": "ConfigMap", "data": data}) // of strings alone
	case address == "127.0.0.1:10249":
		body = a.mode
	}
	_, _ = fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s", body) // who asked may be gone
}
