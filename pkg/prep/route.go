package prep

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// ServiceRoute is the step that lets a host without a default route reach the
// cluster's services: iptables turns their addresses into those of pods only
// after the kernel has found some route to them, and without one the programs
// in the host's own network, those of the pod network among them, get "network is unreachable".
// The route comes back at boot by a systemd unit, before the kubelet.
func ServiceRoute(services netip.Prefix, iface string) step.Step {
	return serviceRoute{services.Masked(), iface}
}

type serviceRoute struct {
	services netip.Prefix
	iface    string
}

const (
	routeUnit = "kubecrate-route.service"
	routeFile = "/etc/systemd/system/" + routeUnit
)

// text returns the unit. Stopping it removes the route.
func (s serviceRoute) text() string {
	return fmt.Sprintf(`# written by install: this host has no default route
[Unit]
Description=Route to the services of Kubernetes
Wants=network-online.target
After=network-online.target
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip route replace %[1]s dev %[2]s
ExecStop=-/sbin/ip route del %[1]s dev %[2]s

[Install]
WantedBy=multi-user.target
`, s.services, s.iface)
}

func (serviceRoute) Name() string { return "route" }

func (s serviceRoute) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	text, err := h.Text(routeFile)
	if err != nil {
		return st, err
	}
	st.File(routeFile, text, s.text())
	u, err := h.Unit(ctx, routeUnit)
	if err != nil {
		return st, err
	}
	there, err := s.there(ctx, h)
	if err != nil {
		return st, err
	}
	if !there || !u.Active || !u.Starts() {
		st.Todo("add a route to the service network %s on %s, now and at boot", s.services, s.iface)
	}
	return st, nil
}

// there reports whether the kernel has the route.
func (s serviceRoute) there(ctx context.Context, h *host.Host) (bool, error) {
	out, err := h.Query(ctx, "ip", "-4", "route", "show", s.services.String(), "dev", s.iface)
	if err != nil {
		return false, fmt.Errorf("cannot list the routes: %w", err)
	}
	return strings.TrimSpace(string(out)) != "", nil
}

func (s serviceRoute) Apply(ctx context.Context, h *host.Host) error {
	text, err := h.Text(routeFile)
	if err != nil {
		return err
	}
	unit := host.Service{Unit: routeUnit, Files: []host.ServiceFile{{Path: routeFile, Before: text, After: s.text()}}, Defined: true}
	if err := unit.Apply(ctx, h); err != nil {
		return err
	}
	if there, err := s.there(ctx, h); err != nil || there {
		return err
	}
	// The unit was already active, and the route was deleted since.
	return h.Change(ctx, host.Command("systemctl", "restart", routeUnit), nil)
}
