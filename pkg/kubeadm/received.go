package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
)

// clusterConfigPath is what kubeadm keeps of a cluster; every node may read it.
const clusterConfigPath = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"

// podNetwork is the network of the pods as this host received it: from the
// operator, where it began the cluster; from the cluster itself, where it joined
// one. What a ticket says is not used, since anyone may have written it. The zero
// prefix means unknown.
func podNetwork(h *host.Host, m *record) (netip.Prefix, error) {
	text := m.PodCIDR
	if m.Verb == verbJoin {
		text = m.Received
	}
	if p, err := manifest.ParseNetwork(text); err == nil || m.Verb != verbJoin {
		return p, nil
	}
	text, err := m.networks.Recorded(h)
	if err != nil {
		return netip.Prefix{}, err
	}
	p, err := manifest.ParseNetwork(text)
	if err != nil {
		return netip.Prefix{}, nil // a network that does not record it, or never received it
	}
	return p, nil
}

// notePods notes podNetwork where it is needed, before the files that tell it
// are removed: an interrupted reset resumes with the same value.
func (m *record) notePods(h *host.Host) (err error) {
	if m.pods, err = podNetwork(h, m); err != nil || !m.pods.IsValid() || m.Verb != verbJoin || m.Received != "" {
		return err
	}
	m.Received = m.pods.String()
	return m.write(h)
}

// receive notes the network of the pods as the cluster itself has it. Where that
// does not answer, a later reset uses what the network recorded, or keeps rules and
// routes that nothing else identifies as the cluster's.
func (m *record) receive(ctx context.Context, h *host.Host, kubeconfig string) error {
	if m.Received != "" {
		return nil
	}
	var object struct {
		Data map[string]string `json:"data"`
	}
	err := through(kubeconfig).Object(ctx, h, clusterConfigPath, &object)
	if err != nil {
		return err
	}
	var config struct {
		Networking networking `yaml:"networking"`
	}
	if err := yaml.Unmarshal([]byte(object.Data["ClusterConfiguration"]), &config); err != nil {
		return fmt.Errorf("cannot read the cluster's configuration: %w", err)
	}
	for _, text := range strings.Split(config.Networking.PodSubnet, ",") {
		if p, err := manifest.ParseNetwork(text); err == nil {
			m.Received = p.String()
			return nil
		}
	}
	return errors.New("the cluster's configuration has no IPv4 network for pods")
}
