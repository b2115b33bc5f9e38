package agree

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/imageref"
)

// control compares the images with those that kubeadm of the version runs.
func (b *Bundle) control(f *findings) {
	minor, patch, ok := b.minor()
	if !ok {
		return
	}
	known, ok := kubeadmOf(minor)
	if !ok && !b.early {
		f.warn(b.listHint(), "kubernetes is %s, and this program does not know its versions of coredns, etcd and pause", b.Kubernetes)
	}
	repository := b.repository(minor, patch)
	own := wanted{tag: b.Kubernetes, certain: true}
	c := comparison{images: b.Images, findings: f}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		c.want(repository+"/"+name, own, masters())
	}
	c.want(repository+"/etcd", known.etcd.at(patch, known.last), masters())
	c.want(repository+"/kube-proxy", own, everywhere())
	c.want(repository+"/pause", known.pause.at(patch, known.last), everywhere())
	c.want(coredns(repository, minor, patch), known.coredns.at(patch, known.last), everywhere())
	if len(c.missing) > 0 && !b.early {
		f.fail("add "+strings.Join(c.missing, ", ")+" to images.list",
			"kubernetes is %s, and its kubeadm runs images that are not packed: %s", b.Kubernetes, strings.Join(c.missing, ", "))
	}
	if len(c.other) > 0 {
		f.fail("write "+strings.Join(c.instead, ", ")+" under images.list, or another version under kubernetes",
			"kubernetes is %s, and its kubeadm runs %s, but the packed images are %s", b.Kubernetes, strings.Join(c.instead, ", "), strings.Join(c.other, ", "))
	}
	if len(c.doubtful) > 0 && !b.early {
		f.warn(b.listHint(), "kubernetes is %s, and this program does not know whether its kubeadm runs %s", b.Kubernetes, strings.Join(c.doubtful, ", "))
	}
}

func (b *Bundle) listHint() string {
	return "compare with what kubeadm config images list --kubernetes-version " + b.Kubernetes + " prints on a machine that has it"
}

// comparison collects how images differ from those that are wanted.
type comparison struct {
	images         []manifest.LockedImage
	missing        []string // not there at all
	instead, other []string // of which another tag is there, and that one
	doubtful       []string // another tag than expected, which may be right

	*findings // of roles
}

// want looks for the image that w admits, on the hosts of roles.
func (c *comparison) want(repository string, w wanted, roles []manifest.Role) {
	var other []string
	var right []manifest.LockedImage
	for _, img := range c.images {
		ref := imageref.Split(img.Name)
		if ref.Repository != repository {
			continue
		}
		if w.admits(ref.Tag) {
			right = append(right, img)
			continue
		}
		other = append(other, img.Name)
	}
	if len(right) > 0 {
		c.withheld(right, needer{"Kubernetes", roles})
		return
	}
	name := repository
	if w.tag != "" {
		name += ":" + w.tag
	}
	switch {
	case len(other) == 0:
		c.missing = append(c.missing, name)
	case w.certain:
		c.instead, c.other = append(c.instead, name), append(c.other, other...)
	default:
		c.doubtful = append(c.doubtful, other...)
	}
}

// repository is where kubeadm takes its images from: install takes it
// from the name of kube-apiserver in the bundle.
func (b *Bundle) repository(minor, patch int) string {
	var names []string
	for _, img := range b.Images {
		names = append(names, img.Name)
	}
	if repository := manifest.ControlPlaneRepository(names, b.Kubernetes); repository != "" {
		return repository
	}
	return defaultRepository(minor, patch)
}

// coredns is what kubeadm asks for: below the repository it has by itself the
// image has its own directory from 1.21 on, in any other it has none.
func coredns(repository string, minor, patch int) string {
	const ownDirectory = 21
	if minor >= ownDirectory && repository == defaultRepository(minor, patch) {
		return repository + "/coredns/coredns"
	}
	return repository + "/coredns"
}

// network: its manifest has to be there, and what that runs.
func (b *Bundle) network(f *findings) {
	m := b.Manifests
	if m == nil {
		return
	}
	if m.Network == "" {
		b.noNetwork(f)
		return
	}
	if len(m.Others) > 0 {
		f.warn("remove from files the manifests that should not be applied",
			"network is %s, and %s is applied: it is the first of its manifests by name; %s will not be applied", b.Network, m.Network, strings.Join(m.Others, ", "))
	}
	if !reaches(m.Roles, masters()) {
		f.fail("remove roles from "+m.Network+" under files, or write roles: [master]",
			"under files, %s, the manifest of %s, is only for hosts of role %s, but the first master applies it", m.Network, b.Network, list(m.Roles))
	}
	for _, name := range m.Images {
		carried := slices.DeleteFunc(slices.Clone(b.Images), func(img manifest.LockedImage) bool { return img.Name != name })
		f.withheld(carried, needer{m.Network, everywhere()})
		if len(carried) == 0 {
			f.fail("write images: true for "+m.Network+" under files, or add "+name+" to images.list",
				"network is %s, and its %s runs %s, but no image of that name is packed", b.Network, m.Network, name)
		}
	}
}

func (b *Bundle) noNetwork(f *findings) {
	f.fail("add to files: {url: ./"+b.Network+".yaml, path: manifests/"+b.Network+".yaml, network: "+b.Network+", images: true}",
		"network is %s, but no file below manifests/ is a manifest of it", b.Network)
}

// isManifest says whether the installer looks for the network's manifest at p.
func isManifest(p string) bool {
	return path.Dir(p) == "manifests" && slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(p))
}

// names: the runtime must be able to keep each image under the name by which pods
// ask for it.
func (b *Bundle) names(f *findings) {
	byTag := map[string]manifest.LockedImage{}
	for _, img := range b.Images {
		ref := imageref.Split(img.Name)
		if name := ref.Tagged(); ref.Tag != "" {
			if other, ok := byTag[name]; ok && other.Digest != img.Digest {
				f.fail("remove one of them from images.list, or from the file that names it",
					"%s and %s are two images with the same name, %s: a runtime keeps only one of them", other.Name, img.Name, name)
			}
			byTag[name] = img
		}
		if !b.Runtimes.About(b.Runtime).KeepsDigests {
			b.byTag(f, img, ref)
		}
	}
}

// byTag: a runtime that keeps no digests of the images it loads, as docker, looks
// for what a pod names by digest in a registry.
func (b *Bundle) byTag(f *findings, img manifest.LockedImage, ref imageref.Parts) {
	by := "images.list names"
	if img.From != "" {
		by = img.From + " names"
	}
	other := "write runtime: " + b.Runtimes.Another(b.Runtime, func(o cri.About) bool { return o.KeepsDigests }) + ", which keeps digests"
	switch {
	case img.KeepDigest:
		f.fail("remove keepDigest, and name the image by its tag in pods; or "+other,
			"runtime is %[1]s, but images.list has keepDigest for %[2]s: %[1]s cannot load an image under its digest", b.Runtime, img.Name)
	case ref.Digest != "" && (ref.Tag == "" || img.From != ""):
		f.fail(fmt.Sprintf("name it by a tag, such as %s:TAG, there and in pods; the lock pins the digest of a tag. Or %s", ref.Repository, other),
			"runtime is %[1]s, but %[2]s %[3]s by its digest: %[1]s cannot load an image under its digest, and pods would pull it", b.Runtime, by, img.Name)
	case ref.Digest != "":
		f.warn("name it by its tag in pods: "+ref.Tagged(),
			"runtime is %s, which loads %s as %s: a pod that names %.19s... would pull it", b.Runtime, img.Name, ref.Tagged(), ref.Digest)
	}
}
