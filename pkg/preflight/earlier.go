package preflight

import (
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
)

// earlier looks for a cluster on this host that kubecrate did not create.
func earlier(h *host.Host, o *Options, f *found) error {
	if o.Ours {
		f.ok("not checked: kubecrate already ran kubeadm on this host")
		return nil
	}
	const fix = "if that cluster is no longer needed: kubeadm reset; otherwise use another host"
	for _, file := range []string{"/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"} {
		ok, err := h.Exists(file)
		if err != nil {
			return err
		}
		if ok {
			f.fail(fix, "this host already belongs to a cluster that kubecrate did not create: %s exists", file)
			break
		}
	}
	pods, err := h.ReadDir("/etc/kubernetes/manifests")
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(n string) bool { return path.Ext(n) != ".yaml" })
	if len(pods) > 0 {
		f.fail(fix, "the kubelet would start pods of an earlier cluster: /etc/kubernetes/manifests contains %s", strings.Join(pods, ", "))
	}
	if o.controls() {
		data, err := h.ReadDir(etcdDir)
		if err != nil {
			return err
		}
		data = slices.DeleteFunc(data, func(n string) bool { return n == "lost+found" })
		if len(data) > 0 {
			f.fail("move it away: mkdir "+etcdDir+".before && mv "+etcdDir+"/* "+etcdDir+".before/", "%s contains data of an earlier etcd: %s", etcdDir, strings.Join(data, ", "))
		}
	}
	f.okIf("no earlier cluster")
	return nil
}

// networkFiles: the kubelet uses the network whose configuration file sorts first.
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
				f.fail("mv "+cni.ConfigDir+"/"+n+" /root/", "%s/%s sorts before %s, so pods would use that network instead of the cluster's", cni.ConfigDir, n, own)
			}
		}
	}
	f.okIf("no other pod network in %s sorts first", cni.ConfigDir)
	return nil
}
