package kubeadm

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
	"kubecrate/pkg/step"
)

// recordFile says what was begun here and what was completed. It is written before
// kubeadm changes anything.
const recordFile = step.Dir + "/kubeadm.json"

// record is the install record: what kubeadm was made to do on this host, and
// all that is needed to undo it.
type record struct {
	Verb         verb      `json:"verb"`
	Completed    bool      `json:"completed"`
	Begun        time.Time `json:"begun"`
	Boot         string    `json:"boot"` // boot ID of the kernel, when it was begun
	Node         string    `json:"node"`
	Socket       string    `json:"socket"` // as kubeadm calls it
	Version      string    `json:"version"`
	Cluster      string    `json:"cluster"`
	Endpoint     string    `json:"endpoint"`
	PodCIDR      string    `json:"podCIDR,omitempty"`  // as it was asked for: by the operator, or by a ticket
	Received     string    `json:"received,omitempty"` // of a join: the pods' network by the cluster itself
	ServiceCIDR  string    `json:"serviceCIDR,omitempty"`
	ControlPlane bool      `json:"controlPlane"`
	CAHash       string    `json:"caHash,omitempty"`     // known when a join is begun, or an init completed
	Revoked      bool      `json:"revoked,omitempty"`    // the tickets that this host knew were revoked on request
	Announcing   string    `json:"announcing,omitempty"` // public part of a token that the cluster may not know yet
	Given        []string  `json:"given,omitempty"`      // files of pki that were there before
	Dirs         []string  `json:"dirs,omitempty"`       // of directories() that were there before
	CNI          []string  `json:"cni,omitempty"`        // names in /etc/cni/net.d that were there before
	Plugins      []string  `json:"plugins,omitempty"`    // names in /opt/cni/bin that were there before
	Links        []string  `json:"links,omitempty"`      // names in /sys/class/net that were there before
	Chains       []string  `json:"chains,omitempty"`     // of CNI plugins that were there before: podman uses them too

	pods     netip.Prefix // whose traces tearDown removes, see podNetwork
	networks cni.Networks // that may have left traces
	runtimes cri.Runtimes // the same
}

// verb is what kubeadm was called for.
type verb string

const (
	verbInit verb = "init"
	verbJoin verb = "join"
)

// readRecord returns nil if nothing was begun.
func readRecord(h *host.Host) (*record, error) {
	m := &record{}
	found, err := h.State().ReadJSON(recordFile, m)
	switch {
	case found && err != nil:
		return nil, hint.With(err, "if the cluster on this host is not wanted: kubeadm reset -f, then rm %s", recordFile)
	case err != nil || !found:
		return nil, err
	}
	if m.Verb != verbInit && m.Verb != verbJoin {
		return nil, hint.With(fmt.Errorf("cannot read %s: unknown verb %q", recordFile, m.Verb), "use the installer of the same or a later version")
	}
	return m, nil
}

func (m *record) write(h *host.Host) error { return h.State().WriteJSON(recordFile, m) }

// bootID identifies one run of the kernel.
func bootID(h *host.Host) (string, error) {
	text, err := h.Text("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(text), err
}

// newRecord is the record of an attempt that begins now; what existed before the
// first attempt is copied from the earlier record.
func (o *Options) newRecord(ctx context.Context, h *host.Host, v verb, r leftovers, before *record) (*record, error) {
	boot, err := bootID(h)
	if err != nil {
		return nil, err
	}
	rel, _, err := o.release()
	if err != nil {
		return nil, err
	}
	m := &record{
		Verb: v, Begun: time.Now().UTC().Truncate(time.Second), Boot: boot,
		Node: o.Node, Socket: o.criSocket(rel), Version: o.Version,
		Cluster: o.Cluster.Name, Endpoint: o.Endpoint(),
		PodCIDR: o.Cluster.PodCIDR, ServiceCIDR: o.Cluster.ServiceCIDR,
		networks: o.Networks, runtimes: o.Runtimes,
	}
	if before != nil {
		m.Given, m.CNI, m.Plugins, m.Dirs, m.Links, m.Chains = before.Given, before.CNI, before.Plugins, before.Dirs, before.Links, before.Chains
		return m, nil
	}
	for _, dir := range m.directories() {
		there, err := h.Exists(dir)
		if err != nil {
			return nil, err
		}
		if there {
			m.Dirs = append(m.Dirs, dir)
		}
	}
	m.Given = r.authority
	if m.Links, err = h.ReadDir(linkDir); err != nil {
		return nil, err
	}
	if m.Chains, err = netfilter.Chains(ctx, h, pluginChains); err != nil {
		return nil, err
	}
	if m.CNI, err = h.ReadDir(cniDir); err != nil {
		return nil, err
	}
	m.Plugins, err = h.ReadDir(cni.PluginDir)
	return m, err
}
