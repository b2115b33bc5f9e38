package image

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/imageref"
)

// Pulled lists the images in a stream of Kubernetes objects that are pulled whenever
// a pod starts, even if the runtime has them: those with the policy Always, and those
// without a policy whose tag is latest or missing (the default of the API, "Image
// pull policy"). It searches the same fields as Names, with the same errors.
func Pulled(r io.Reader) ([]Mention, error) {
	w, err := walkAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot find the images it names: %w", err)
	}
	return w.pulled, nil
}

// pullOf collects the image of a container or volume if it is always pulled.
func (w *walker) pullOf(n *yaml.Node, imageKey, policyKey string) error {
	fields, err := w.flatten(target(n))
	if err != nil {
		return err
	}
	var image *yaml.Node
	policy := ""
	for _, f := range fields {
		switch f.key {
		case imageKey:
			image = target(f.value)
		case policyKey:
			policy = target(f.value).Value
		}
	}
	if image == nil || image.Tag == "!!null" || image.Value == "" {
		return nil
	}
	name, err := imageref.Canonical(image.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", image.Line, err)
	}
	if policy == "" && !strings.Contains(name, "@") && strings.HasSuffix(name, ":latest") {
		policy = "Always"
	}
	if policy == "Always" && !slices.ContainsFunc(w.pulled, func(m Mention) bool { return m.Name == name }) {
		w.pulled = append(w.pulled, Mention{Name: name, Line: image.Line})
	}
	return nil
}
