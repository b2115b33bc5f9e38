package manifest

import (
	"strings"

	"kubecrate/pkg/imageref"
)

// RolesOf gives the roles that need an image of images.list that names none: only
// masters for the images of the control plane, every role (nil) for all others. Those
// of the control plane are kube-apiserver, kube-controller-manager and kube-scheduler
// of m's version and etcd, below the repository that has kube-apiserver. What only
// ends in such a name belongs to an application, and runs wherever pods do.
func (m *Manifest) RolesOf(image string) []Role {
	var names []string
	for _, i := range m.Images.List {
		names = append(names, i.Name)
	}
	repository := ControlPlaneRepository(names, m.Kubernetes)
	name := imageref.Split(image)
	parent, base := cutBase(imageref.Complete(name.Repository))
	if own, _ := cutBase(imageref.Complete(repository + "/etcd")); repository == "" || parent != own {
		return nil
	}
	switch base {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler":
		if name.Tag == m.Kubernetes || name.Tag == "" && name.Digest != "" {
			return []Role{Master}
		}
	case "etcd":
		return []Role{Master}
	}
	return nil
}

// cutBase splits the last part from a repository, without the suffix of an
// architecture that it may have.
func cutBase(repository string) (parent, base string) {
	i := strings.LastIndexByte(repository, '/')
	parent, base = repository[:max(i, 0)], repository[i+1:]
	for _, arch := range archs() {
		base = strings.TrimSuffix(base, "-"+arch)
	}
	return parent, base
}

// ControlPlaneRepository is where kubeadm is to take its images from, by the names of
// the images that are carried: "k8s.gcr.io" where one is k8s.gcr.io/kube-apiserver. One
// of version counts before others, which clusters within the cluster may run. It is ""
// where there is none.
func ControlPlaneRepository(images []string, version string) string {
	other := ""
	for _, name := range images {
		ref := imageref.Split(name)
		parent, base := cutBase(ref.Repository)
		if base != "kube-apiserver" || parent == "" {
			continue
		}
		if ref.Tag == version {
			return parent
		}
		if other == "" {
			other = parent
		}
	}
	return other
}
