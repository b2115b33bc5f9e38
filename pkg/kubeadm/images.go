package kubeadm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// Repository is where the control plane's images come from by the names of a
// bundle's images: "k8s.gcr.io" where one is k8s.gcr.io/kube-apiserver:v1.17.4, that of
// version before others.
func Repository(images []string, version string) (string, error) {
	if repository := manifest.ControlPlaneRepository(images, version); repository != "" {
		return repository, nil
	}
	return "", hint.With(fmt.Errorf("cannot determine the repository of the control plane's images: the bundle has no kube-apiserver"),
		"use an archive built for masters")
}

// checkImages compares what this kubeadm will run with what the bundle holds:
// it would pull what is missing, and wait for a network that is not there.
func (o *Options) checkImages(ctx context.Context, h *host.Host, config string) error {
	if len(o.Images) == 0 {
		return nil
	}
	out, err := h.Query(ctx, "kubeadm", "config", "images", "list", "--config", config)
	if err != nil {
		return fmt.Errorf("cannot ask kubeadm for its images: %w", err)
	}
	var missing []string
	for name := range strings.FieldsSeq(string(out)) {
		if !slices.Contains(o.Images, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("the bundle lacks images that kubeadm runs: %s", strings.Join(missing, ", ")),
		"add them to images.list of the bundle's manifest and build it again, on the connected machine")
}
