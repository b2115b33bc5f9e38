package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// What kubeadm calls CoreDNS.
const (
	dnsNamespace = "kube-system"
	dnsName      = "coredns"
	dnsLabel     = "k8s-app=kube-dns"
	corefileKey  = "Corefile"
)

// DNS is the step that lets CoreDNS live on a host without a nameserver, and
// changes nothing on one that has any. kubeadm makes it forward what it does not
// know to the nameservers of the host; where there is none, or only one on the
// host's own loopback, it would ask itself and end with "Loop detected", or ask
// the servers of the internet that docker fills in. Instead, names outside the
// cluster do not exist.
//
// It comes before the network, without which no CoreDNS runs yet. There is
// nothing to undo: the change goes with the cluster.
func DNS() step.Step { return &dns{} }

type dns struct{ kubectl kubectl.Client }

func (*dns) Name() string { return "dns" }

func (s *dns) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	needed, why, err := isolated(h)
	if err != nil || !needed {
		return st, err
	}
	config, found, err := s.config(ctx, h)
	if err != nil {
		return st, err
	}
	if !found {
		st.Warn("the cluster has no ConfigMap %s/%s: cannot check that its DNS works without a nameserver", dnsNamespace, dnsName)
		return st, nil
	}
	if config.corefile() != withoutHost(config.corefile()) {
		st.Todo("stop CoreDNS from forwarding to nameservers outside the cluster: %s", why)
	}
	return st, nil
}

func (s *dns) Apply(ctx context.Context, h *host.Host) error {
	config, found, err := s.config(ctx, h)
	if err != nil || !found {
		return err
	}
	if want := withoutHost(config.corefile()); want != config.corefile() {
		config.data()[corefileKey] = want
		text, err := json.Marshal(config)
		if err != nil {
			return err
		}
		// The resourceVersion in it keeps a change of somebody else in between.
		if err := h.Change(ctx, s.kubectl.Command(text, "replace", "--filename=-"), nil); err != nil {
			return fmt.Errorf("cannot change what CoreDNS forwards: %w", kubectl.Explain(h, err))
		}
	}
	return s.restart(ctx, h)
}

// restart replaces the pods of CoreDNS that ran with the old Corefile. That is
// only for speed: they see the new one themselves, within minutes.
func (s *dns) restart(ctx context.Context, h *host.Host) error {
	var pods struct {
		Items []struct {
			Status struct{ ContainerStatuses []any }
		}
	}
	if _, err := s.kubectl.Get(ctx, h, &pods, nil, "pods", "--namespace="+dnsNamespace, "--selector="+dnsLabel); err != nil {
		return err
	}
	for _, p := range pods.Items {
		if len(p.Status.ContainerStatuses) > 0 { // none while it waits for a network
			return kubectl.Explain(h, h.Change(ctx, s.kubectl.Command(nil, "rollout", "restart", "deployment/"+dnsName, "--namespace="+dnsNamespace), nil))
		}
	}
	return nil
}

// config is CoreDNS's ConfigMap with all that it holds.
type config map[string]any

func (s *dns) config(ctx context.Context, h *host.Host) (c config, found bool, err error) {
	found, err = s.kubectl.Get(ctx, h, &c, nil, "configmap", dnsName, "--namespace="+dnsNamespace)
	if err != nil {
		return nil, false, err
	}
	return c, found && c.data() != nil, nil
}

func (c config) data() map[string]any {
	data, _ := c["data"].(map[string]any)
	return data
}

func (c config) corefile() string {
	text, _ := c.data()[corefileKey].(string)
	return text
}

// isolated says whether the pods of a host have no nameserver to ask, and why.
func isolated(h *host.Host) (needed bool, why string, err error) {
	file, err := resolverFile(h)
	if err != nil {
		return false, "", err
	}
	if file == "" {
		return true, "the kubelet passes none to its pods", nil
	}
	there, err := h.Exists(file)
	if err != nil {
		return false, "", err
	}
	text, err := h.Text(file)
	if err != nil {
		return false, "", err
	}
	servers, all := reachable(text)
	switch {
	case len(servers) > 0:
		return false, "", nil
	case !there:
		return true, "this host has no " + file, nil
	case len(all) > 0:
		return true, fmt.Sprintf("%s lists only %s, which a pod cannot reach", file, strings.Join(all, ", ")), nil
	}
	return true, file + " lists none", nil
}

// Where the kubelet is configured with the file it gives to pods: a flag comes before its
// configuration.
const (
	kubeletFlags  = "/var/lib/kubelet/kubeadm-flags.env"
	kubeletExtra  = "/etc/sysconfig/kubelet"
	kubeletConfig = "/var/lib/kubelet/config.yaml"
)

var resolvFlag = regexp.MustCompile(`(?m)^[^#\n]*--resolv-conf[= ]([^\s"']*)`)

// resolverFile is the resolv.conf that the kubelet gives to the pods which use
// the host's, "" for none. Without a kubelet it is /etc/resolv.conf.
func resolverFile(h *host.Host) (string, error) {
	for _, name := range []string{kubeletExtra, kubeletFlags} {
		text, err := h.Text(name)
		if err != nil {
			return "", err
		}
		if m := resolvFlag.FindStringSubmatch(text); m != nil {
			return m[1], nil
		}
	}
	text, err := h.Text(kubeletConfig)
	if err != nil {
		return "", err
	}
	var c struct {
		ResolvConf string `yaml:"resolvConf"`
	}
	// The kubelet itself says what is wrong with its file.
	if err := yaml.Unmarshal([]byte(text), &c); err == nil && c.ResolvConf != "" {
		return c.ResolvConf, nil
	}
	return hostResolver, nil
}
