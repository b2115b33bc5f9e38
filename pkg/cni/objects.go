package cni

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
