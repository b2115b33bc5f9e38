package kubeadm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

var errKilled = errors.New("killed")

// world is a host with a kubeadm and a kubectl that do to it what the real ones
// do, and can die between any two of their steps.
type world struct {
	t        *testing.T
	h        *host.Host
	m        *hosttest.Machine
	ca       []byte            // of the cluster that kubeadm makes or joins
	up       bool              // the API server answers
	objects  map[string]string // by path
	networks cni.Networks      // that a reset knows
	hear     progress.Func     // what an undoing says
	dieAt    int               // step at which kubeadm is killed; 0 never
	fail     *hosttest.Exit    // how kubeadm init or join ends badly, at once
	seen     []string          // configurations that were read
}

func newWorld(t *testing.T) *world {
	t.Helper()
	h, m := hosttest.New(t)
	w := &world{t: t, h: h, m: m, ca: newCA(t), objects: map[string]string{}}
	m.Units["kubelet.service"] = &hosttest.Unit{Enabled: true}
	m.Write(t, "/proc/sys/kernel/random/boot_id", "boot-1\n", "/etc/resolv.conf", "nameserver 192.168.4.1\n",
		"/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nop:x:1000:1000::/home/op:/bin/bash\n", "/root/.bashrc", "", "/home/op/.bashrc", "",
		"/etc/cni/net.d/87-podman-bridge.conflist", "{}")
	m.Programs["kubeadm"] = w.kubeadm
	m.Programs["kubectl"] = w.kubectl
	m.Programs["iptables-save"] = func([]string, string) (string, error) { return m.Read(t, "/run/rules"), nil }
	m.Programs["iptables-restore"] = func(_ []string, stdin string) (string, error) {
		m.Write(t, "/run/rules", stdin)
		return "", nil
	}
	m.Programs["ip"] = w.ip
	return w
}

func newCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (w *world) caHash() string {
	w.t.Helper()
	hash, err := CAHash(w.ca)
	if err != nil {
		w.t.Fatal(err)
	}
	return hash
}

func (w *world) kubeconfig() string {
	return "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " + base64.StdEncoding.EncodeToString(w.ca) +
		"\n    server: https://192.168.4.11:6443\n  name: kubernetes\n"
}

func (w *world) kubeadm(args []string, _ string) (string, error) {
	line := strings.Join(args, " ")
	switch {
	case strings.HasPrefix(line, "config images list"):
		return "k8s.gcr.io/kube-apiserver:v1.17.4\nk8s.gcr.io/pause:3.1\n", nil
	case strings.HasPrefix(line, "init phase upload-certs"):
		w.config(args)
		w.objects["/api/v1/namespaces/kube-system/secrets/kubeadm-certs"] = "{}"
		return "", nil
	case args[0] == "init":
		config := w.config(args)
		return w.steps(append(w.initSteps(), func() {
			if strings.Contains(config, " token: ") {
				_, _ = w.createToken(config)
			}
		}))
	case args[0] == "join":
		config := w.config(args)
		w.up = true // or kubeadm would not get that far
		w.objects["/healthz"] = "ok"
		if strings.Contains(config, "controlPlane:") {
			return w.steps(w.masterSteps())
		}
		return w.steps(w.joinSteps())
	case args[0] == "reset":
		return "", w.reset(line)
	case strings.HasPrefix(line, "token create"):
		return w.createToken(w.config(args))
	case strings.HasPrefix(line, "token delete"):
		delete(w.objects, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+args[2])
		return "", nil
	}
	return "", &hosttest.Exit{Code: 1, Stderr: "unknown command " + line}
}

// config reads the file of --config, which must be root's alone.
func (w *world) config(args []string) string {
	for i, a := range args {
		if a != "--config" {
			continue
		}
		info, err := os.Stat(w.h.Path(args[i+1]))
		if err != nil || info.Mode().Perm() != 0o600 {
			w.t.Errorf("%s: %v, %v", args[i+1], info, err)
		}
		text := w.m.Read(w.t, args[i+1])
		w.seen = append(w.seen, text)
		return text
	}
	w.t.Errorf("no --config in %v", args)
	return ""
}

func (w *world) steps(list []func()) (string, error) {
	if w.fail != nil {
		return "", w.fail
	}
	for i, f := range list {
		if i+1 == w.dieAt {
			w.dieAt = 0
			return "", errKilled
		}
		f()
	}
	return "", nil
}

func (w *world) file(path, content string) func() {
	return func() { w.m.Write(w.t, path, content) }
}

func (w *world) object(path, content string) func() {
	return func() { w.objects[path] = content }
}

const readyNode = `{"metadata":{"name":"master1","labels":{"node-role.kubernetes.io/master":""}},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`

// initSteps are what kubeadm init does, in its order.
func (w *world) initSteps() []func() {
	list := []func(){
		w.file("/var/lib/kubelet/kubeadm-flags.env", "x"), w.file("/var/lib/kubelet/config.yaml", "x"),
		func() { w.m.Units["kubelet.service"].Active = true },
		func() {
			if w.m.Read(w.t, caFile) == "" { // else it was given
				w.m.Write(w.t, caFile, string(w.ca), pkiDir+"/ca.key", "key", pkiDir+"/etcd/ca.crt", "x")
			}
		},
		w.file("/etc/kubernetes/pki/apiserver.crt", "x"),
		w.file("/etc/kubernetes/pki/etcd/server.crt", "x"),
		w.file("/etc/kubernetes/admin.conf", w.kubeconfig()), w.file("/etc/kubernetes/kubelet.conf", w.kubeconfig()),
	}
	for _, pod := range staticPods() {
		list = append(list, w.file(pod, "x"))
	}
	list = append(list,
		w.file("/var/lib/etcd/member/wal/0", "x"),
		w.file("/run/rules", kubeRules),
		func() { w.up = true },
		w.object("/healthz", "ok"),
		w.object("/api/v1/nodes/master1", readyNode), w.object("/api/v1/nodes", `{"items":[`+readyNode+`]}`))
	for _, path := range []string{
		"/api/v1/namespaces/kube-system/configmaps/kubeadm-config", "/api/v1/namespaces/kube-public/configmaps/cluster-info",
		"/apis/apps/v1/namespaces/kube-system/deployments/coredns", "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:node-proxier",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/kube-proxy",
	} {
		list = append(list, w.object(path, "{}"))
	}
	return append(list, w.file("/sys/class/net/cni0/address", "x"), w.file("/sys/class/net/kube-ipvs0/address", "x"),
		w.file("/etc/cni/net.d/10-flannel.conflist", "x"), w.file("/run/flannel/subnet.env", "x"))
}

// joinSteps are what kubeadm join does on a node.
func (w *world) joinSteps() []func() {
	return []func(){
		w.file(bootstrapConf, w.kubeconfig()+"token: abcdef.0123456789abcdef\n"),
		w.file(caFile, string(w.ca)),
		w.file("/var/lib/kubelet/config.yaml", "x"), w.file("/var/lib/kubelet/kubeadm-flags.env", "x"),
		func() { w.m.Units["kubelet.service"].Active = true },
		w.file(kubeletConf, w.kubeconfig()),
		func() {
			w.up = true
			w.objects["/api/v1/nodes/node1"] = strings.Replace(readyNode, "master1", "node1", 1)
		},
		func() { _ = os.Remove(w.h.Path(bootstrapConf)) },
		w.object("/healthz", "ok"),
	}
}

// masterSteps are what kubeadm join does on a further master, whose keys are there.
func (w *world) masterSteps() []func() {
	list := []func(){w.file("/etc/kubernetes/pki/apiserver.crt", "x"), w.file("/etc/kubernetes/pki/etcd/server.crt", "x"), w.file(AdminConf, w.kubeconfig())}
	for _, pod := range staticPods() {
		list = append(list, w.file(pod, "x"))
	}
	list = append(list, w.joinSteps()...)
	return append(list, w.file("/var/lib/etcd/member/wal/0", "x"),
		w.object("/api/v1/nodes/master2", strings.Replace(readyNode, "master1", "master2", 1)))
}

// reset is kubeadm reset -f, which leaves the CNI's configuration and the rules.
func (w *world) reset(line string) error {
	if !strings.Contains(line, "-f --cri-socket /var/run/dockershim.sock") {
		return &hosttest.Exit{Code: 1, Stderr: "unexpected: " + line}
	}
	w.m.Units["kubelet.service"].Active = false
	w.up, w.objects = false, map[string]string{}
	dirs := []string{"/etc/kubernetes/manifests", "/var/lib/etcd", "/var/lib/kubelet"}
	if !strings.Contains(line, "--cert-dir") {
		dirs = append(dirs, pkiDir)
	}
	for _, d := range dirs {
		if err := os.RemoveAll(w.h.Path(d)); err != nil {
			return err
		}
	}
	for _, f := range kubeconfigs() {
		_ = os.Remove(w.h.Path(f))
	}
	return nil
}

func (w *world) createToken(config string) (string, error) {
	token := regexp.MustCompile(`token: (\S+)`).FindStringSubmatch(config)
	ttl := regexp.MustCompile(`ttl: (\S+)`).FindStringSubmatch(config)
	if token == nil || ttl == nil {
		return "", &hosttest.Exit{Code: 1, Stderr: "no token"}
	}
	life, err := time.ParseDuration(ttl[1])
	if err != nil {
		return "", err
	}
	said := ""
	if m := regexp.MustCompile(`description: '?(.+?)'?\n`).FindStringSubmatch(config); m != nil {
		said = m[1]
	}
	w.describeToken(token[1], life, said)
	return token[1] + "\n", nil
}

func (w *world) addToken(token string, life time.Duration) {
	w.describeToken(token, life, ticketDescription)
}

func (w *world) describeToken(token string, life time.Duration, description string) {
	id, secret, _ := strings.Cut(token, ".")
	object, err := json.Marshal(map[string]any{"type": "bootstrap.kubernetes.io/token", "data": map[string][]byte{
		"token-id": []byte(id), "token-secret": []byte(secret), "expiration": []byte(time.Now().Add(life).Format(time.RFC3339)),
		"description": []byte(description), "usage-bootstrap-authentication": []byte("true"),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.objects["/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+id] = string(object)
}

// listTokens is the list of all tokens that the cluster holds.
func (w *world) listTokens() string {
	items := []string{`{"type":"Opaque","data":{}}`}
	for path, object := range w.objects {
		if strings.Contains(path, "bootstrap-token-") {
			items = append(items, object)
		}
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}

func (w *world) tokens() int {
	n := 0
	for path := range w.objects {
		if strings.Contains(path, "bootstrap-token-") {
			n++
		}
	}
	return n
}

// kubectl is kubectl --kubeconfig=FILE --request-timeout=T get --raw PATH.
func (w *world) kubectl(args []string, _ string) (string, error) {
	path := args[len(args)-1]
	config := strings.TrimPrefix(args[0], "--kubeconfig=")
	switch {
	case w.m.Read(w.t, config) == "":
		return "", &hosttest.Exit{Code: 1, Stderr: "error: stat " + config + ": no such file or directory"}
	case !w.up:
		return "", &hosttest.Exit{Code: 1, Stderr: "The connection to the server 192.168.4.11:6443 was refused - did you specify the right host or port?"}
	}
	if strings.Contains(strings.Join(args, " "), " delete secret kubeadm-certs --namespace=kube-system") {
		delete(w.objects, "/api/v1/namespaces/kube-system/secrets/kubeadm-certs")
		return "", nil
	}
	if path == "/api/v1/namespaces/kube-system/secrets?fieldSelector=type%3Dbootstrap.kubernetes.io%2Ftoken" {
		return w.listTokens(), nil
	}
	object, ok := w.objects[path]
	if !ok && path == "/api/v1/nodes" {
		return `{"items":[]}`, nil
	}
	if !ok {
		return "", &hosttest.Exit{Code: 1, Stderr: "Error from server (NotFound): " + path + " not found"}
	}
	return object, nil
}

func (w *world) ip(args []string, _ string) (string, error) {
	if args[0] == "link" {
		return "", os.RemoveAll(w.h.Path(filepath.Join("/sys/class/net", args[2])))
	}
	return "", nil
}

func (w *world) check(s step.Step) step.Status {
	w.t.Helper()
	st, err := s.Check(w.t.Context(), w.h.With(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	if st.State == "" {
		st.State = step.Done
	}
	return st
}

// called counts the calls that begin so.
func (w *world) called(prefix string) int {
	n := 0
	for _, line := range w.m.Calls() {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// noSecret fails where one of the secrets can be seen by others than root, or
// stays in a file that nobody needs any more.
func (w *world) noSecret(secrets ...string) {
	w.t.Helper()
	for _, s := range secrets {
		for _, line := range w.m.Calls() {
			if strings.Contains(line, s) {
				w.t.Errorf("a secret stands in %s", line)
			}
		}
		for _, dir := range []string{step.Dir, etcDir} {
			err := filepath.WalkDir(w.h.Path(dir), func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() || strings.HasSuffix(path, "/join.yaml") {
					return nil
				}
				text, err := os.ReadFile(path)
				if strings.Contains(string(text), s) {
					w.t.Errorf("a secret stands in %s", path)
				}
				return err
			})
			if err != nil {
				w.t.Error(err)
			}
		}
	}
}

func (w *world) String() string { return fmt.Sprintf("%d objects, up %v", len(w.objects), w.up) }

const userRules = `# Generated by iptables-save v1.4.21
*nat
:PREROUTING ACCEPT [7:420]
:POSTROUTING ACCEPT [1:60]
:DOCKER - [0:0]
[3:180] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
[0:0] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
[0:0] -A DOCKER -i docker0 -j RETURN
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
[9:540] -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "not KUBE-SERVICES" -j ACCEPT
[0:0] -A FORWARD -s 10.2.0.0/16 -j ACCEPT
COMMIT
`

const kubeRules = `# Generated by iptables-save v1.4.21
*nat
:PREROUTING ACCEPT [7:420]
:POSTROUTING ACCEPT [1:60]
:DOCKER - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
[0:0] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[3:180] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
[0:0] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
[0:0] -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN
[0:0] -A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.1.0/24 -j RETURN
[0:0] -A DOCKER -i docker0 -j RETURN
[0:0] -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
[0:0] -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-FIREWALL - [0:0]
[9:540] -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "not KUBE-SERVICES" -j ACCEPT
[0:0] -A INPUT -j KUBE-FIREWALL
[0:0] -A FORWARD -s 10.2.0.0/16 -j ACCEPT
[0:0] -A FORWARD -s 10.244.0.0/16 -j ACCEPT
[0:0] -A FORWARD -d 10.244.0.0/16 -j ACCEPT
COMMIT
`

// recorder keeps nothing.
type recorder struct{}

func (recorder) File(string, host.FileState, []byte) error { return nil }
func (recorder) Undo([]string) error                       { return nil }
