package preflight

import (
	"maps"
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// places returns the directories in which packages, kubeadm, the kubelet and the
// steps create files, and whether programs are run from there. step.Plan checks the
// files that a step itself changes.
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

// files looks for what keeps root from creating files where they are needed: a file
// system that is full or mounted read-only, an immutable directory, a dangling
// symlink. Directories with the same cause are reported once.
func files(h *host.Host, o *Options, f *found) error {
	said := map[string]bool{}
	list := places(o)
	for _, p := range slices.Sorted(maps.Keys(list)) {
		if err := h.Obstacle(p, true); err != nil {
			if fix := hint.Of(err); !said[fix] {
				said[fix] = true
				f.fail(fix, "cannot create files in %s: %v", p, err)
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
		if fix := "mount -o remount,exec " + d.Mount + ", and remove noexec from its line in /etc/fstab"; d.NoExec && !said[fix] {
			said[fix] = true
			f.fail(fix, "%s is on %s, which is mounted noexec: the bundle's programs cannot start there", p, d.Mount)
		}
	}
	f.okIf("files can be created in every directory needed")
	return nil
}
