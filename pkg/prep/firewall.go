package prep

import (
	"context"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// Firewall is the step that stops the firewall services and disables them at boot:
// kube-proxy and the network write the host's rules, and these services would remove
// them.
func Firewall() step.Step { return firewall{} }

type firewall struct{}

// firewallUnits returns the services that load their own rules on EL7 and later.
func firewallUnits() []string {
	return []string{"firewalld.service", "iptables.service", "ip6tables.service", "nftables.service"}
}

func (firewall) Name() string { return "firewall" }

func (firewall) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	for _, name := range firewallUnits() {
		u, err := h.Unit(ctx, name)
		if err != nil {
			return st, err
		}
		if u.Active {
			st.Todo("stop %s", name)
		}
		if u.Starts() {
			st.Todo("disable %s", name)
		}
	}
	return st, nil
}

func (firewall) Apply(ctx context.Context, h *host.Host) error {
	for _, name := range firewallUnits() {
		if err := h.Disable(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
