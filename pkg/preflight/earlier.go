package preflight

import (
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
)

// earlier looks for a cluster that somebody else made on this host.
func earlier(h *host.Host, o *Options, f *found) error {
	if o.Ours {
		f.ok("not looked at: kubeadm was begun on this host")
		return nil
	}
	const fix = "if that cluster is not needed any more: kubeadm reset; otherwise take another host"
	for _, file := range []string{"/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"} {
		ok, err := h.Exists(file)
		if err != nil {
			return err
		}
		if ok {
			f.fail(fix, "this host is part of a cluster already, which kubecrate did not make: there is %s", file)
			break
		}
	}
	pods, err := h.ReadDir("/etc/kubernetes/manifests")
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(n string) bool { return path.Ext(n) != ".yaml" })
	if len(pods) > 0 {
		f.fail(fix, "the kubelet would start pods of an earlier cluster: /etc/kubernetes/manifests holds %s", strings.Join(pods, ", "))
	}
	if o.controls() {
		data, err := h.ReadDir(etcdDir)
		if err != nil {
			return err
		}
		data = slices.DeleteFunc(data, func(n string) bool { return n == "lost+found" })
		if len(data) > 0 {
			f.fail("keep it under another name: mkdir "+etcdDir+".before && mv "+etcdDir+"/* "+etcdDir+".before/", "%s holds data of an earlier etcd: %s", etcdDir, strings.Join(data, ", "))
		}
	}
	f.okIf("no earlier cluster")
	return nil
}

// networkFiles: the kubelet takes the network whose file has the first name.
func networkFiles(h *host.Host, o *Options, f *found) error {
	own := o.network().ConfigFile()
	names, err := h.ReadDir(cni.ConfigDir)
	if err != nil {
		return err
	}
	for _, n := range names {
		switch path.Ext(n) {
		case ".conf", ".conflist", ".json":
			if n < own {
				f.fail("mv "+cni.ConfigDir+"/"+n+" /root/", "%s/%s comes before %s, so pods would get that network and not the cluster's", cni.ConfigDir, n, own)
			}
		}
	}
	f.okIf("no other pod network in %s comes first", cni.ConfigDir)
	return nil
}
