package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// BenchSet are nine images shaped like those of the default profile: about
// 400 MB as gzip layers and 1.2 GB unpacked, real programs of Kubernetes 1.17.4
// and others from the module proxy, and a Debian root below three of them.
func (l *Lab) BenchSet(ctx context.Context) ([]Image, error) {
	kube, err := l.Kubernetes(ctx)
	if err != nil {
		return nil, err
	}
	etcd, err := l.Program(ctx, "etcd-3.5.21", "go.etcd.io/etcd/server/v3@v3.5.21", "go.etcd.io/etcd/etcdctl/v3@v3.5.21")
	if err != nil {
		return nil, err
	}
	coredns, err := l.Program(ctx, "coredns-1.11.4", "github.com/coredns/coredns@v1.11.4")
	if err != nil {
		return nil, err
	}
	const cni = "github.com/containernetworking/plugins/plugins/"
	plugins, err := l.Program(ctx, "cni-1.6.2", cni+"main/bridge@v1.6.2", cni+"main/loopback@v1.6.2",
		cni+"main/ptp@v1.6.2", cni+"meta/portmap@v1.6.2", cni+"ipam/host-local@v1.6.2", cni+"ipam/dhcp@v1.6.2")
	if err != nil {
		return nil, err
	}
	goroot, err := Run(ctx, "go", "env", "GOROOT")
	if err != nil {
		return nil, fmt.Errorf("cannot find Go: %w", err)
	}
	pause, err := l.pause(ctx)
	if err != nil {
		return nil, err
	}
	id := func(name string) string { return "bench-" + name + "-" + kubeID() }
	static := Texts("static-1", [2]string{"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"},
		[2]string{"etc/nsswitch.conf", "hosts: files dns\n"})
	root := TarFile("debian-root-2", l.Root)
	program := func(name string) Layer {
		return Files(id(name), [2]string{"usr/local/bin/" + name, filepath.Join(kube, name)})
	}
	image := func(name string, layers ...Layer) Image {
		return Image{Name: "k8s.gcr.io/" + name, Path: "google_containers/" + name, Layers: layers}
	}
	flannel := Image{Name: "quay.io/coreos/flannel:v0.14.0", Path: "coreos/flannel:v0.14.0",
		Layers: []Layer{root, Files(id("cni"), [2]string{"opt/bin", plugins})}}
	return []Image{
		image("kube-apiserver:v1.17.4", static, program("kube-apiserver")),
		image("kube-controller-manager:v1.17.4", static, program("kube-controller-manager")),
		image("kube-scheduler:v1.17.4", static, program("kube-scheduler")),
		image("kube-proxy:v1.17.4", root, program("kube-proxy")),
		image("pause:3.1", Files("pause-"+runtime.Version(), [2]string{"pause", pause})),
		image("etcd:3.4.3-0", static, Files(id("etcd"), [2]string{"usr/local/bin", etcd})),
		image("coredns:1.6.5", static, Files(id("coredns"), [2]string{"", coredns})),
		flannel,
		image("conformance:v1.17.4", root, program("kubectl"), program("kubeadm"), program("kubelet"),
			Files("goroot-"+runtime.Version(), [2]string{"usr/local/go", strings.TrimSpace(goroot)})),
	}, nil
}

// Huge is one image with one layer of more than 2 GB unpacked.
func (l *Lab) Huge(ctx context.Context) ([]Image, error) {
	kube, err := l.Kubernetes(ctx)
	if err != nil {
		return nil, err
	}
	var files [][2]string
	for _, copy := range []string{"a", "b", "c", "d", "e"} {
		files = append(files, [2]string{"opt/" + copy, kube})
	}
	return []Image{{Name: "k8s.gcr.io/huge:v1.17.4", Path: "google_containers/huge:v1.17.4",
		Layers: []Layer{Files("huge-"+kubeID(), files...)}}}, nil
}
