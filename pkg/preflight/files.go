package preflight

import (
	"maps"
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// places are the directories in which packages, kubeadm, the kubelet and the
// steps make files, and whether programs are run from there. What a step itself
// changes is looked at file by file, see step.Plan.
func places(o *Options) map[string]bool {
	list := map[string]bool{
		"/usr/bin": true, "/usr/libexec": true, cni.PluginDir: true,
		"/usr/lib/systemd/system": false, "/etc": false, "/etc/systemd/system": false, "/etc/kubernetes": false, cni.ConfigDir: false,
		"/var/lib/kubecrate": false, "/var/lib/cni": false, "/var/log": false, "/run": false,
		kubeletDir: false, o.imageDir(): false,
	}
	for _, dir := range o.Software.About().Dirs {
		list[dir] = false
	}
	if o.controls() {
		list[etcdDir], list["/root/.kube"] = false, false
	}
	return list
}

// files looks for what keeps root from making files where they have to be: a
// file system that is full or mounted read-only, an immutable directory, a link
// that leads nowhere. It is said once where several places have one cause.
func files(h *host.Host, o *Options, f *found) error {
	said := map[string]bool{}
	list := places(o)
	for _, p := range slices.Sorted(maps.Keys(list)) {
		if err := h.Obstacle(p, true); err != nil {
			if fix := hint.Of(err); !said[fix] {
				said[fix] = true
				f.fail(fix, "cannot make files in %s: %v", p, err)
			}
			continue
		}
		if !list[p] {
			continue
		}
		d, err := facts.DiskOf(h, p)
		if err != nil {
			return err
		}
		if fix := "mount -o remount,exec " + d.Mount + ", and take noexec out of its line in /etc/fstab"; d.NoExec && !said[fix] {
			said[fix] = true
			f.fail(fix, "%s is on %s, which is mounted noexec: no program of the bundle could start there", p, d.Mount)
		}
	}
	f.okIf("can be made in every place")
	return nil
}
