package agree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/agree"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/visible"
)

func packages(t *testing.T, list ...string) []nevra.NEVRA {
	t.Helper()
	var all []nevra.NEVRA
	for _, s := range list {
		n, err := nevra.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// images are names, each with its digest after a blank.
func images(names ...string) []manifest.LockedImage {
	var all []manifest.LockedImage
	for _, n := range names {
		name, digest, _ := strings.Cut(n, " ")
		all = append(all, manifest.LockedImage{Name: name, Digest: digest})
	}
	return all
}

func kube(repository, version string, others ...string) []manifest.LockedImage {
	var names []string
	for _, n := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		names = append(names, repository+"/"+n+":"+version)
	}
	for _, o := range others {
		names = append(names, repository+"/"+o)
	}
	return images(names...)
}

// whole is a bundle whose parts agree.
func whole(t *testing.T) *agree.Bundle {
	t.Helper()
	return &agree.Bundle{
		Kubernetes: "v1.17.4", Runtime: "docker", Network: "flannel", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Baseline: "hosts.txt",
		Packages:  packages(t, "docker-ce-18.06.3.ce-3.el7.x86_64", "kubeadm-1.17.4-0.x86_64", "kubectl-1.17.4-0.x86_64", "kubelet-1.17.4-0.x86_64", "kubernetes-cni-0.8.7-0.x86_64"),
		Installed: packages(t, "bash-4.2.46-34.el7.x86_64", "python-2.7.5-1.el7.noarch", "tzdata-2018c-1.el7.noarch"),
		Images:    append(kube("k8s.gcr.io", "v1.17.4", "pause:3.1", "etcd:3.4.3-0", "coredns:1.6.5"), images("quay.io/coreos/flannel:v0.14.0")...),
		Manifests: &agree.Manifests{Network: "manifests/kube-flannel.yml", Images: []string{"quay.io/coreos/flannel:v0.14.0"}},
	}
}

// modern is a bundle of a later Kubernetes.
func modern(t *testing.T) *agree.Bundle {
	t.Helper()
	b := whole(t)
	b.Kubernetes, b.Runtime, b.Platform.Family = "v1.31.0", "containerd", "el9"
	b.Installed = nil
	b.Packages = packages(t, "containerd.io-1.7.22-3.1.el9.x86_64", "kubeadm-1.31.0-150500.1.1.x86_64", "kubectl-1.31.0-150500.1.1.x86_64", "kubelet-1.31.0-150500.1.1.x86_64")
	b.Images = append(kube("registry.k8s.io", "v1.31.0", "pause:3.10", "etcd:3.5.15-0", "coredns/coredns:v1.11.1"), images("quay.io/coreos/flannel:v0.14.0")...)
	return b
}

func without(b *agree.Bundle, part string) {
	b.Packages = slices.DeleteFunc(b.Packages, func(n nevra.NEVRA) bool { return strings.HasPrefix(n.String(), part) })
	b.Images = slices.DeleteFunc(b.Images, func(i manifest.LockedImage) bool { return strings.Contains(i.Name, part) })
}

func TestAgrees(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*agree.Bundle{"whole": whole(t), "modern": modern(t)} {
		if found := b.Check(); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
	// What hosts have is not carried, and counts.
	b := whole(t)
	b.Packages, b.Installed = b.Packages[:1], append(b.Installed, b.Packages[1:]...)
	if found := b.Check(); len(found) > 0 {
		t.Errorf("kubelet on the host: %+v", found)
	}
	// A registry's own name for all of them: there coredns has no directory.
	b = modern(t)
	b.Images = append(kube("registry.example/k8s", "v1.31.0", "pause:3.10", "etcd:3.5.15-0", "coredns:v1.11.1"), images("quay.io/coreos/flannel:v0.14.0")...)
	if found := b.Check(); len(found) > 0 {
		t.Errorf("another repository: %+v", found)
	}
	// Something else of Kubernetes' names decides nothing.
	b = whole(t)
	b.Images = append(images("quay.io/coreos/etcd:v3.5.0", "x.example/a/pause:9"), b.Images...)
	if found := b.Check(); len(found) > 0 {
		t.Errorf("images of applications: %+v", found)
	}
}

type wrong struct {
	name   string
	change func(*agree.Bundle)
	says   []string
	warns  bool
}

func (w wrong) test(t *testing.T, b *agree.Bundle) {
	t.Helper()
	w.change(b)
	for _, f := range b.Check() {
		hit := f.Warn == w.warns && f.Hint != ""
		for _, s := range w.says {
			hit = hit && strings.Contains(f.Text+"\n"+f.Hint, s)
		}
		if hit {
			if failed := agree.Err("x", b.Check()) != nil; failed == w.warns {
				t.Errorf("%s: Err says %v", w.name, failed)
			}
			return
		}
	}
	t.Errorf("%s: nothing says %q: %+v", w.name, w.says, b.Check())
}

// TestDisagrees: each disagreement names both sides, and what to write.
func TestDisagrees(t *testing.T) {
	t.Parallel()
	for _, w := range []wrong{
		{"patch of packages", func(b *agree.Bundle) { b.Kubernetes = "v1.17.17" }, []string{"v1.17.17", "kubelet-1.17.4-0", "kubernetes: v1.17.4"}, false},
		{"patch of images", func(b *agree.Bundle) { b.Kubernetes = "v1.17.17" }, []string{"v1.17.17", "kube-proxy:v1.17.4", "k8s.gcr.io/kube-proxy:v1.17.17"}, false},
		{"no kubectl", func(b *agree.Bundle) { without(b, "kubectl") }, []string{"v1.17.4", "kubectl-1.17.4"}, false},
		{"kubelet alone is newer", func(b *agree.Bundle) {
			without(b, "kubelet")
			b.Packages = append(b.Packages, packages(t, "kubelet-1.17.5-0.x86_64")...)
		}, []string{"v1.17.4", "kubelet-1.17.5-0"}, false},
		{"no pause", func(b *agree.Bundle) { without(b, "pause") }, []string{"v1.17.4", "add k8s.gcr.io/pause:3.1 to images.list"}, false},
		{"no scheduler", func(b *agree.Bundle) { without(b, "kube-scheduler") }, []string{"k8s.gcr.io/kube-scheduler:v1.17.4"}, false},
		{"no api server", func(b *agree.Bundle) { without(b, "kube-apiserver") }, []string{"k8s.gcr.io/kube-apiserver:v1.17.4"}, false},
		{"another etcd", func(b *agree.Bundle) {
			without(b, "etcd")
			b.Images = append(b.Images, images("k8s.gcr.io/etcd:3.5.0-0")...)
		}, []string{"v1.17.4", "etcd:3.4.3-0", "etcd:3.5.0-0"}, false},
		{"pause of elsewhere", func(b *agree.Bundle) {
			without(b, "pause")
			b.Images = append(b.Images, images("x.example/pause:3.1")...)
		}, []string{"k8s.gcr.io/pause:3.1"}, false},
		{"other runtime", func(b *agree.Bundle) { b.Runtime = "containerd" }, []string{"containerd", "docker-ce-18.06.3", "containerd.io"}, false},
		{"no runtime", func(b *agree.Bundle) { without(b, "docker") }, []string{"runtime is docker", "docker-ce"}, false},
		{"containerd too new", func(b *agree.Bundle) {
			b.Runtime = "containerd"
			b.Packages = append(b.Packages, packages(t, "containerd.io-2.1.0-1.el7.x86_64")...)
		}, []string{"v1.17.4", "containerd.io-2.1.0"}, false},
		{"no network", func(b *agree.Bundle) { b.Manifests.Network = "" }, []string{"network is flannel", "manifests/"}, false},
		{"two manifests of the network", func(b *agree.Bundle) { b.Manifests.Others = []string{"manifests/z.yml"} }, []string{"flannel", "manifests/kube-flannel.yml is applied", "manifests/z.yml"}, true},
		{"network without images", func(b *agree.Bundle) { without(b, "flannel") }, []string{"kube-flannel.yml", "quay.io/coreos/flannel:v0.14.0"}, false},
		{"no plugin", func(b *agree.Bundle) {
			without(b, "kubernetes-cni")
			b.Packages = append(b.Packages, packages(t, "kubernetes-cni-1.2.0-0.x86_64")...)
		}, []string{"flannel", "kubernetes-cni-1.2.0"}, false},
		{"no plugin for canal", func(b *agree.Bundle) {
			b.Network = "canal"
			without(b, "kubernetes-cni")
			b.Packages = append(b.Packages, packages(t, "kubernetes-cni-1.2.0-0.x86_64")...)
		}, []string{"network is canal, but neither kubernetes-cni-1.2.0", "has the flannel plugin"}, false},
		{"no plugin for a made-up network", func(b *agree.Bundle) {
			b.Network = "mesh"
			b.Networks = append(cni.All(), cni.Network{Name: "mesh", Brought: &cni.Plugin{Name: "meshed", Until: "0.1", Image: "mesh-plugin", Fix: "bring a mesh-plugin"}})
		}, []string{"network is mesh, but neither kubernetes-cni-", "has the meshed plugin"}, false},
		{"other family", func(b *agree.Bundle) { b.Platform.Family = "el8" }, []string{"el8", "hosts.txt", "el7"}, false},
		{"other packages", func(b *agree.Bundle) { b.Platform.Family = "el8"; b.Installed = nil }, []string{"el8", "docker-ce-18.06.3.ce-3.el7"}, false},
		{"a package of another family", func(b *agree.Bundle) { b.Packages = append(b.Packages, packages(t, "x-1-1.el9.x86_64")...) }, []string{"el7", "x-1-1.el9"}, true},
		{"other arch", func(b *agree.Bundle) { b.Platform.Arch = "arm64" }, []string{"arm64", "hosts.txt", "x86_64"}, false},
		{"digest under docker", func(b *agree.Bundle) { b.Images = append(b.Images, images("a/b@sha256:1")...) }, []string{"docker", "a/b@sha256:1", "containerd"}, false},
		{"digest of a file under docker", func(b *agree.Bundle) {
			b.Images = append(b.Images, manifest.LockedImage{Name: "a/b:1@sha256:1", From: "manifests/x.yaml"})
		}, []string{"docker", "manifests/x.yaml", "a/b:1@sha256:1"}, false},
		{"digest beside a tag", func(b *agree.Bundle) { b.Images = append(b.Images, images("a/b:1@sha256:1")...) }, []string{"docker", "a/b:1@sha256:1"}, true},
		{"keepDigest under docker", func(b *agree.Bundle) {
			b.Images = append(b.Images, manifest.LockedImage{Name: "a/b:1", KeepDigest: true})
		}, []string{"docker", "keepDigest", "a/b:1"}, false},
		{"two images of a name", func(b *agree.Bundle) {
			b.Images = append(b.Images, images("a/b:1 sha256:1", "a/b:1@sha256:2 sha256:2")...)
		}, []string{"a/b:1@sha256:2", "two images"}, false},
		{"nothing at all", func(b *agree.Bundle) { b.Packages, b.Images = nil, nil }, []string{"no kubeadm", "v1.17.4"}, true},
		{"images alone", func(b *agree.Bundle) { b.Packages = nil }, []string{"no kubeadm", "v1.17.4"}, true},
		{"images without their programs", func(b *agree.Bundle) {
			b.Packages = b.Packages[:1]
		}, []string{"v1.17.4", "no package provides kubelet, kubeadm, kubectl"}, false},
		{"unknown version", func(b *agree.Bundle) { b.Kubernetes = "v1.99.0" }, []string{"v1.99.0", "kubelet-1.17.4"}, false},
		{"too old", func(b *agree.Bundle) { b.Kubernetes = "v1.13.0" }, []string{"v1.13.0", "1.15"}, false},
		{"a processor", func(b *agree.Bundle) { b.Images[0].CPU = "x86-64-v2" }, []string{"x86-64-v2", "kube-apiserver"}, true},
	} {
		w.test(t, whole(t))
	}
	for _, w := range []wrong{
		{"docker", func(b *agree.Bundle) { b.Runtime = "docker" }, []string{"v1.31.0", "docker", "containerd"}, false},
		{"cgroup v1", func(b *agree.Bundle) { b.Kubernetes, b.Platform.Family = "v1.35.0", "el7" }, []string{"v1.35.0", "el7", "cgroup v1"}, false},
		{"containerd too old", func(b *agree.Bundle) {
			without(b, "containerd")
			b.Packages = append(b.Packages, packages(t, "containerd.io-1.5.11-3.1.el9.x86_64")...)
		}, []string{"v1.31.0", "containerd.io-1.5.11"}, false},
		{"coredns beside the others", func(b *agree.Bundle) {
			without(b, "coredns")
			b.Images = append(b.Images, images("registry.k8s.io/coredns:v1.11.1")...)
		}, []string{"registry.k8s.io/coredns/coredns:v1.11.1"}, false},
		{"lower than any", func(b *agree.Bundle) {
			b.Kubernetes = "v1.31.3"
			without(b, "etcd")
			b.Images = append(b.Images, images("registry.k8s.io/etcd:3.5.9-0")...)
		}, []string{"v1.31.3", "etcd:3.5.9-0"}, false},
	} {
		w.test(t, modern(t))
	}
}

// TestRoles: what runs on every host comes to every host, and what a master needs
// to a master.
func TestRoles(t *testing.T) {
	t.Parallel()
	give := func(part string, roles ...manifest.Role) func(*agree.Bundle) {
		return func(b *agree.Bundle) {
			for i := range b.Images {
				if strings.Contains(b.Images[i].Name, part) {
					b.Images[i].Roles = roles
				}
			}
		}
	}
	for _, w := range []wrong{
		{"kube-proxy", give("kube-proxy", manifest.Master), []string{"kube-proxy:v1.17.4", "only for hosts of role master", "master, node"}, false},
		{"pause", give("pause", manifest.Node), []string{"pause:3.1", "only for hosts of role node", "remove roles from"}, false},
		{"coredns", give("coredns", manifest.Master), []string{"coredns:1.6.5"}, false},
		{"kube-apiserver", give("kube-apiserver", manifest.Node), []string{"kube-apiserver:v1.17.4", "only for hosts of role node"}, false},
		{"etcd", give("etcd", manifest.Node), []string{"etcd:3.4.3-0"}, false},
		{"network's image", give("flannel", manifest.Master), []string{"flannel:v0.14.0", "manifests/kube-flannel.yml runs it"}, false},
		{"network's manifest", func(b *agree.Bundle) { b.Manifests.Roles = []manifest.Role{manifest.Node} }, []string{"manifests/kube-flannel.yml", "roles: [master]"}, false},
	} {
		w.test(t, whole(t))
	}
	b := whole(t)
	for _, part := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
		give(part, manifest.Master)(b)
	}
	give("kube-proxy", manifest.Master, manifest.Node)(b)
	b.Manifests.Roles = []manifest.Role{manifest.Master}
	b.Images = append(b.Images, manifest.LockedImage{Name: "x.example/app:1", Roles: []manifest.Role{manifest.Node}})
	if found := b.Check(); len(found) > 0 {
		t.Errorf("roles that suffice: %+v", found)
	}
}

// TestRemoved: a network's manifest whose kinds the API server of the version has no
// more is refused, and taken one release earlier.
func TestRemoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		object agree.Object
		last   int
	}{
		{agree.Object{APIVersion: "policy/v1beta1", Kind: "PodSecurityPolicy"}, 24},
		{agree.Object{APIVersion: "rbac.authorization.k8s.io/v1beta1", Kind: "ClusterRole"}, 21},
		{agree.Object{APIVersion: "apiextensions.k8s.io/v1beta1", Kind: "CustomResourceDefinition"}, 21},
		{agree.Object{APIVersion: "extensions/v1beta1", Kind: "DaemonSet"}, 15},
		{agree.Object{APIVersion: "admissionregistration.k8s.io/v1beta1", Kind: "ValidatingAdmissionPolicy"}, 99},
		{agree.Object{APIVersion: "apps/v1", Kind: "DaemonSet"}, 99},
	} {
		says := func(minor int) bool {
			b := whole(t)
			b.Kubernetes = fmt.Sprintf("v1.%d.0", minor)
			b.Manifests.Objects = []agree.Object{{APIVersion: "v1", Kind: "ConfigMap"}, c.object}
			return slices.ContainsFunc(b.Check(), func(f agree.Finding) bool {
				return !f.Warn && strings.Contains(f.Text, b.Kubernetes) && strings.Contains(f.Text, c.object.Kind+" of "+c.object.APIVersion)
			})
		}
		if says(c.last) || c.last < 99 && !says(c.last+1) {
			t.Errorf("%v: at 1.%d %v, at 1.%d %v", c.object, c.last, says(c.last), c.last+1, says(c.last+1))
		}
	}
}

// TestUncertain: what is not known is a warning.
func TestUncertain(t *testing.T) {
	t.Parallel()
	at := func(version, family string, others ...string) *agree.Bundle {
		b := modern(t)
		b.Kubernetes, b.Platform.Family = version, family
		b.Packages = packages(t, "containerd.io-1.7.22-3.1."+family+".x86_64")
		for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
			b.Packages = append(b.Packages, packages(t, name+"-"+version[1:]+"-1.1.x86_64")...)
		}
		b.Images = append(kube("registry.k8s.io", version, others...), images("quay.io/coreos/flannel:v0.14.0")...)
		return b
	}
	for _, c := range []struct {
		b    *agree.Bundle
		says string
	}{
		{at("v1.99.0", "el9", "pause:9", "etcd:9", "coredns/coredns:v9"), "v1.99.0"},
		{at("v1.31.99", "el9", "pause:3.9", "etcd:3.5.24-0", "coredns/coredns:v1.11.3"), "pause:3.9"},
		{at("v1.36.3", "el8", "pause:3.10.2", "etcd:3.6.8-0", "coredns/coredns:v1.14.2"), "cgroup v1"},
	} {
		found := c.b.Check()
		if len(found) != 1 || !found[0].Warn || !strings.Contains(found[0].Text, c.says) || agree.Err("x", found) != nil {
			t.Errorf("%s: %+v", c.says, found)
		}
	}
}

// TestPatches: within a minor the tags of what kubeadm runs rise.
func TestPatches(t *testing.T) {
	t.Parallel()
	for version, etcd := range map[string]string{"v1.31.0": "3.5.15-0", "v1.31.7": "3.5.15-0", "v1.31.8": "3.5.21-0", "v1.31.14": "3.5.24-0", "v1.31.20": "3.5.30-0"} {
		b := modern(t)
		b.Kubernetes = version
		b.Images = kube("registry.k8s.io", version, "pause:3.10", "coredns/coredns:v1.11.3", "etcd:"+etcd)
		for _, f := range b.Check() {
			if strings.Contains(f.Text, "/etcd") {
				t.Errorf("%s with etcd %s: %s", version, etcd, f.Text)
			}
		}
	}
}

// TestErrorLines: every disagreement has a line of its own, and its hint below.
func TestErrorLines(t *testing.T) {
	t.Parallel()
	list := []agree.Finding{{Text: "a", Hint: "b"}, {Text: "c", Hint: "d"}}
	got := visible.Error(agree.Err("x", list))
	want := []string{"the parts of x do not fit together, 2 problems:", "  a", "      hint: b", "  c", "      hint: d"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
