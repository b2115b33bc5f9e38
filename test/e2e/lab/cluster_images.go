package lab

import (
	"archive/tar"
	"context"
	"io"
	"path/filepath"
	"runtime"
	"strings"
)

// ClusterImages are the images of the default profile with what a cluster
// needs of them: Kubernetes and what runs on it, built from their modules, and
// Debian's etcd, nginx, iptables and ipset. Paths, entry points and users are
// those of the real images as far as kubeadm's manifests and kube-flannel.yml
// name them.
func (l *Lab) ClusterImages(ctx context.Context) ([]Image, error) {
	p, err := l.programs(ctx)
	if err != nil {
		return nil, err
	}
	pause, err := l.pause(ctx)
	if err != nil {
		return nil, err
	}
	deb := func(name, file string) string { return filepath.Join(p.debs, name, file) }
	binary := func(id, to, from string) Layer { return Files("cluster-"+id, [2]string{to, from}) }
	base := l.baseLayer(p)
	network := Files("cluster-network-2-"+p.id, debTrees(p.debs, "iptables", "iproute2", "kmod", "netbase", "conntrack", "ipset", "libipset13",
		"libxtables12", "libip4tc2", "libip6tc2", "libmnl0", "libnftnl11", "libnfnetlink0", "libnetfilter-conntrack3", "libzstd1", "liblzma5",
		"libssl3", "zlib1g", "libbpf1", "libelf1", "libbsd0", "libmd0", "libcap2", "libselinux1", "libpcre2-8-0")...)
	kube := func(name string, layers ...Layer) Image {
		return Image{Name: "k8s.gcr.io/" + name, Path: "google_containers/" + name, Layers: layers}
	}
	program := func(name string) Layer {
		return binary(name+"-"+kubeID(), "usr/local/bin/"+name, filepath.Join(p.kubernetes, name))
	}
	flannel := Image{Name: "quay.io/coreos/flannel:v0.14.0", Path: "coreos/flannel:v0.14.0", Index: true, Entrypoint: []string{"/opt/bin/flanneld"},
		Layers: []Layer{base, network, iptablesLinks(), binary("flannel-"+flannelVersion, "opt/bin/flanneld", filepath.Join(p.flannel, "flannel"))}}
	nginx := Image{Name: "nginx:1.14-alpine", Path: "library/nginx:1.14-alpine", Cmd: []string{"nginx", "-g", "daemon off;"}, Layers: []Layer{base,
		Files("cluster-nginx-3-"+p.id, append(debTrees(p.debs, "nginx", "libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"),
			[2]string{"usr/share/nginx", deb("nginx-common", "usr/share/nginx")},
			[2]string{"etc/nginx/mime.types", deb("nginx-common", "etc/nginx/mime.types")})...),
		Texts("cluster-nginx-conf-1", [2]string{"etc/nginx/nginx.conf", nginxConf}, [2]string{"var/lib/nginx/.keep", ""})}}
	etcd := Files("cluster-etcd-1-"+p.id, [2]string{"usr/local/bin/etcd", deb("etcd-server", "usr/bin/etcd")},
		[2]string{"usr/local/bin/etcdctl", deb("etcd-client", "usr/bin/etcdctl")})
	paused := kube("pause:3.1", Files("pause-"+runtime.Version(), [2]string{"pause", pause}))
	paused.Entrypoint = []string{"/pause"}
	coredns := kube("coredns:1.6.5", binary("coredns-"+corednsVersion+"-"+runtime.Version(), "coredns", filepath.Join(p.coredns, "coredns")))
	coredns.Entrypoint = []string{"/coredns"}
	return []Image{
		kube("kube-apiserver:v1.17.4", base, program("kube-apiserver")),
		kube("kube-controller-manager:v1.17.4", base, program("kube-controller-manager")),
		kube("kube-scheduler:v1.17.4", base, program("kube-scheduler")),
		kube("kube-proxy:v1.17.4", base, network, iptablesLinks(), program("kube-proxy")),
		paused, kube("etcd:3.4.3-0", base, etcd), coredns, flannel, nginx,
	}, nil
}

// nginxConf is what the image's nginx.conf and conf.d/default.conf say together.
const nginxConf = `user nobody;
worker_processes 1;
error_log /dev/stderr warn;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	access_log /dev/stdout;
	server {
		listen 80;
		root /usr/share/nginx/html;
		index index.html;
	}
}
`

// baseLayer is what is beneath all images but pause and CoreDNS: the C library,
// busybox with its links, and the accounts.
func (l *Lab) baseLayer(p programs) Layer {
	return Layer{ID: "cluster-base-2-" + p.id, Write: func(ctx context.Context, w io.Writer) error {
		out, err := output(ctx, "", nil, filepath.Join(p.debs, "busybox", "bin", "busybox"), "--list")
		if err != nil {
			return err
		}
		tw, seen := tar.NewWriter(w), map[string]bool{}
		for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
			if err := addLink(tw, dir, "usr/"+dir); err != nil {
				return err
			}
		}
		for _, dir := range []string{"tmp/", "run/", "var/", "root/"} {
			mode := int64(0o755)
			if dir == "tmp/" {
				mode = 0o1777
			}
			if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode, ModTime: stamp()}); err != nil {
				return err
			}
		}
		if err := addLink(tw, "var/run", "../run"); err != nil {
			return err
		}
		for _, t := range debTrees(p.debs, "libc6", "busybox") {
			if err := addTree(ctx, tw, seen, t[0], t[1]); err != nil {
				return err
			}
		}
		for applet := range strings.FieldsSeq(string(out)) {
			if seen["usr/bin/"+applet] {
				continue
			}
			if err := addLink(tw, "usr/bin/"+applet, "busybox"); err != nil {
				return err
			}
		}
		if err := addTexts(tw, [2]string{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"},
			[2]string{"etc/group", "root:x:0:\nnobody:x:65534:\nnogroup:x:65534:\n"}, [2]string{"etc/nsswitch.conf", "hosts: files dns\n"}); err != nil {
			return err
		}
		return tw.Close()
	}}
}

// iptablesLinks are what update-alternatives makes on a Debian host, whose
// docker and kubelet write to nf_tables; both ways work side by side, but rules
// of the one do not see those of the other.
func iptablesLinks() Layer {
	return Layer{ID: "cluster-iptables-nft-1", Write: func(_ context.Context, w io.Writer) error {
		tw := tar.NewWriter(w)
		for _, family := range []string{"iptables", "ip6tables", "ebtables", "arptables"} {
			for _, verb := range []string{"", "-save", "-restore"} {
				if err := addLink(tw, "usr/sbin/"+family+verb, "xtables-nft-multi"); err != nil {
					return err
				}
			}
		}
		return tw.Close()
	}}
}

func addLink(tw *tar.Writer, name, target string) error {
	return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: stamp()})
}
