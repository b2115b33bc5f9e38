package kubeadm

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/host"
)

// leftovers are the files of a cluster on a host: those of CAs, with which a cluster
// may begin, and all others, which only kubeadm and what it starts create.
type leftovers struct {
	authority []string
	made      []string
}

// authorityFiles are those that kubeadm reuses if they exist.
func authorityFiles() []string {
	return []string{
		"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key",
		"etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub",
	}
}

// staticPods are the manifests of a control plane.
func staticPods() []string {
	return []string{
		manifestsDir + "/etcd.yaml", manifestsDir + "/kube-apiserver.yaml",
		manifestsDir + "/kube-controller-manager.yaml", manifestsDir + "/kube-scheduler.yaml",
	}
}

// kubeconfigs are those that kubeadm and the kubelet write.
func kubeconfigs() []string {
	var list []string
	for _, name := range []string{"admin", "super-admin", "controller-manager", "scheduler", "kubelet", "bootstrap-kubelet"} {
		list = append(list, etcDir+"/"+name+".conf")
	}
	return list
}

// look lists the files of a cluster on the host.
func look(h *host.Host) (leftovers, error) {
	var r leftovers
	for _, dir := range []string{pkiDir, pkiDir + "/etcd"} {
		names, err := h.ReadDir(dir)
		if err != nil {
			return r, err
		}
		for _, name := range names {
			file := path.Join(dir, name)
			switch rel := strings.TrimPrefix(file, pkiDir+"/"); {
			case slices.Contains(authorityFiles(), rel):
				r.authority = append(r.authority, file)
			case rel != "etcd":
				r.made = append(r.made, file)
			}
		}
	}
	others := append(append(kubeconfigs(), staticPods()...), etcdMember, kubeletConfig, kubeletDir+"/kubeadm-flags.env")
	for _, file := range others {
		ok, err := h.Exists(file)
		if err != nil {
			return r, err
		}
		if ok {
			r.made = append(r.made, file)
		}
	}
	return r, nil
}

// claim counts the files of CAs that were not provided beforehand among those that
// were made: those created since m was begun, and all of them on a host that is to
// join without an identity, since kubeadm fetches the CA there. may says that such
// files may have existed before.
func (r *leftovers) claim(m *record, may bool) {
	if m == nil && may {
		return
	}
	var given []string
	for _, f := range r.authority {
		if m != nil && slices.Contains(m.Given, f) {
			given = append(given, f)
			continue
		}
		r.made = append(r.made, f)
	}
	r.authority = given
}

// has reports whether all of the files exist.
func (r leftovers) has(files ...string) bool { return len(r.lacks(files...)) == 0 }

func (r leftovers) lacks(files ...string) []string {
	var missing []string
	for _, f := range files {
		if !slices.Contains(r.made, f) {
			missing = append(missing, f)
		}
	}
	return missing
}

// some names a few of the files, for a message.
func (r leftovers) some() string {
	const most = 3
	if len(r.made) <= most {
		return strings.Join(r.made, ", ")
	}
	return strings.Join(r.made[:most], ", ") + " and more"
}

// lived reports whether etcd wrote its data long after it was begun: that cluster
// was used, even if its completion was not recorded.
func lived(h *host.Host, begun time.Time) (bool, error) {
	const long = time.Hour
	var last time.Time
	err := fs.WalkDir(os.DirFS(h.Path("/")), strings.TrimPrefix(etcdMember, "/"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return err
	})
	if os.IsNotExist(err) {
		return false, nil
	}
	return last.Sub(begun) > long, err
}
