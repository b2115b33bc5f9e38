package manifest

import (
	"strings"

	"kubecrate/pkg/imageref"
)

// RolesOf returns the default roles of an image of images.list: masters for images
// of the control plane, every role (nil) for all others. Images of the control plane
// are kube-apiserver, kube-controller-manager and kube-scheduler of m's version and
// etcd, in the repository that has kube-apiserver. Other images with such a name
// belong to an application and may run on every host.
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

// cutBase splits off the last part of a repository, without an architecture
// suffix.
func cutBase(repository string) (parent, base string) {
	i := strings.LastIndexByte(repository, '/')
	parent, base = repository[:max(i, 0)], repository[i+1:]
	for _, arch := range archs() {
		base = strings.TrimSuffix(base, "-"+arch)
	}
	return parent, base
}

// ControlPlaneRepository is kubeadm's image repository, derived from the names of the
// bundle's images: "k8s.gcr.io" if one is k8s.gcr.io/kube-apiserver. One of version
// takes precedence over others, which clusters inside the cluster may run. It is ""
// if there is none.
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
