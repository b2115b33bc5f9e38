package cni

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Object is what an object of a manifest is: "policy/v1beta1" and "PodSecurityPolicy".
type Object struct {
	APIVersion, Kind string
}

// Objects lists the objects of a manifest, in order.
func Objects(manifest []byte) ([]Object, error) {
	d, err := parse(manifest)
	if err != nil {
		return nil, err
	}
	var all []Object
	for _, n := range d.objects() {
		all = append(all, Object{text(get(n, "apiVersion")), text(get(n, "kind"))})
	}
	return all, nil
}

// daemon is a container that each host runs, and the pod that holds it.
type daemon struct{ pod, container *yaml.Node }

// daemons lists the containers of DaemonSets that are of a kind.
func daemons(d *document, is func(container *yaml.Node) bool) []daemon {
	var all []daemon
	for _, o := range d.objects() {
		if text(get(o, "kind")) != daemonSet {
			continue
		}
		pod := get(o, "spec", "template", "spec")
		for _, c := range list(get(pod, "containers")) {
			if is(c) {
				all = append(all, daemon{pod, c})
			}
		}
	}
	return all
}

// foreign says that a manifest holds the DaemonSet of another network than n.
func (t Networks) foreign(d *document, n Network) bool {
	return slices.ContainsFunc(d.objects(), func(o *yaml.Node) bool {
		by := t.ownerOf(text(get(o, "metadata", "name")))
		return text(get(o, "kind")) == daemonSet && by != "" && by != n.Name
	})
}

// runsOn says whether a pod may run on hosts of an architecture, as far as its
// node selector and affinity tell.
func runsOn(pod *yaml.Node, arch string) bool {
	keys := []string{"kubernetes.io/arch", "beta.kubernetes.io/arch"}
	for _, key := range keys {
		if want := text(get(pod, "nodeSelector", key)); want != "" && want != arch {
			return false
		}
	}
	terms := list(get(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
	allows := func(term *yaml.Node) bool {
		for _, e := range list(get(term, "matchExpressions")) {
			if !slices.Contains(keys, text(get(e, "key"))) {
				continue
			}
			in := slices.ContainsFunc(list(get(e, "values")), func(v *yaml.Node) bool { return text(v) == arch })
			switch text(get(e, "operator")) {
			case "In":
				if !in {
					return false
				}
			case "NotIn":
				if in {
					return false
				}
			}
		}
		return true
	}
	return len(terms) == 0 || slices.ContainsFunc(terms, allows)
}
