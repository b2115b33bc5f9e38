// Package vip gives the control plane an address that moves to a master which
// works: keepalived holds it, by VRRP (RFC 3768) between the masters alone.
package vip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const (
	file = "/etc/keepalived/keepalived.conf"
	unit = "keepalived.service"
	pkg  = "keepalived"
)

// Options say what a master holds. Masters are the addresses of all of them, in
// their order: the first one that works has the address.
type Options struct {
	VIP       manifest.VIP
	Self      netip.Addr
	Interface string // of Self, where VIP names none
	Masters   []netip.Addr
	Port      string // of the API server
	Bundled   bool   // the bundle holds keepalived
}

// Keepalived is the step that configures keepalived and turns it on.
func Keepalived(o Options) step.Step { return keepalived{o} }

// Kinds are the kinds of this package's steps. The journal alone undoes them.
func Kinds() step.Kinds { return step.Plain(keepalived{}) }

type keepalived struct{ o Options }

func (keepalived) Name() string { return "vip" }

const fix = "on the connected machine: add keepalived to packages.roots of the manifest, or use the profile kubernetes-1.17.4-el7-ha, and build again"

func (s keepalived) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	u, err := h.Unit(ctx, unit)
	if err != nil {
		return st, err
	}
	if !u.Known() && !s.o.Bundled {
		return step.Cannot(fix, "cluster.yaml sets the virtual address %s, but the bundle has no keepalived", s.o.VIP.Address), nil
	}
	text, err := h.Text(file)
	if err != nil {
		return st, err
	}
	st.File(file, text, s.o.config())
	if !u.Starts() {
		st.Todo("enable %s", unit)
	}
	if !u.Active {
		st.Todo("start %s, which holds %s on one working master", unit, s.o.VIP.Address)
	}
	return st, nil
}

func (s keepalived) Apply(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, unit)
	if err != nil {
		return err
	}
	if !u.Known() {
		return fmt.Errorf("cannot hold %s: %s is not installed", s.o.VIP.Address, pkg)
	}
	text, err := h.Text(file)
	if err != nil {
		return err
	}
	return host.Service{Unit: unit, Files: []host.ServiceFile{{Path: file, Before: text, After: s.o.config()}}}.Apply(ctx, h)
}

// The priorities are 100 and less, in the order of the masters. One that does not
// answer loses more than all of them differ, but keeps the address where none
// does: the first master has to reach it before its API server is up.
const (
	highest = 100
	penalty = 50
	most    = 48 // masters that the penalty tells apart
)

func (o *Options) priority() int {
	for i, a := range o.Masters {
		if a == o.Self {
			return highest - min(i, most)
		}
	}
	return highest - most
}

// config is keepalived.conf(5) of 1.3 and later. The peers are named, as isolated
// networks may drop multicast.
func (o *Options) config() string {
	iface, router := o.VIP.Interface, o.VIP.RouterID
	if iface == "" {
		iface = o.Interface
	}
	if router == 0 {
		router = manifest.DefaultRouterID
	}
	var peers strings.Builder
	for _, a := range o.Masters {
		if a != o.Self {
			fmt.Fprintf(&peers, "        %s\n", a)
		}
	}
	return fmt.Sprintf(`# written by install: the control plane's address, on the first master that works
global_defs {
    enable_script_security
    script_user root
}
vrrp_script apiserver {
    script "/usr/bin/curl --silent --fail --insecure --max-time 2 --output /dev/null https://127.0.0.1:%s/healthz"
    interval 3
    timeout 3
    fall 3
    rise 2
    weight -%d
}
vrrp_instance kubernetes {
    state BACKUP
    interface %s
    virtual_router_id %d
    priority %d
    advert_int 1
    unicast_src_ip %s
    unicast_peer {
%s    }
    virtual_ipaddress {
        %s/32 dev %s
    }
    track_script {
        apiserver
    }
}
`, o.Port, penalty, iface, router, o.priority(), o.Self, peers.String(), o.VIP.Address, iface)
}
