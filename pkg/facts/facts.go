// Package facts tells what a host is: read-only, from its files and by the
// programs that every such host has. What it finds is what ./install inventory
// prints, what preflight judges, and the greater part of the report that a host
// leaves on the stick (package hostreport).
package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
)

// Kind is the value of kind in what is printed of a host and in its report.
const Kind = "Facts"

// Facts is what a host is. What could not be found on it is empty: that is for
// preflight to judge. Lists are in an order that does not depend on chance.
type Facts struct {
	APIVersion  string      `json:"apiVersion"`
	Kind        string      `json:"kind"`
	Hostname    string      `json:"hostname"`
	Time        time.Time   `json:"time"` // the host's clock, UTC, whole seconds
	Timezone    string      `json:"timezone,omitempty"`
	OS          OS          `json:"os"`
	Kernel      string      `json:"kernel"` // its release
	Arch        string      `json:"arch"`   // as Go names it: amd64
	CPUs        int         `json:"cpus"`
	Memory      int64       `json:"memory"` // bytes that the kernel has to give
	Swap        int64       `json:"swap"`   // bytes that are on
	SELinux     string      `json:"selinux,omitempty"`
	ProductUUID string      `json:"productUUID,omitempty"`
	MachineID   string      `json:"machineID,omitempty"`
	BootID      string      `json:"bootID,omitempty"`
	Disks       []Disk      `json:"disks,omitempty"`
	Interfaces  []Interface `json:"interfaces,omitempty"`
	Routes      []Route     `json:"routes,omitempty"`      // IPv4, of the main table
	Nameservers []string    `json:"nameservers,omitempty"` // in their order
	Packages    []string    `json:"packages,omitempty"`    // NEVRAs, an epoch of 0 left out

	networks cni.Networks // that are known
	runtimes cri.Runtimes
}

// Disk is the file system that a path lies on, or would lie on. Mount is where
// it is mounted, Type as the kernel names it; Size and Free are bytes.
type Disk struct {
	Path     string `json:"path"`
	Mount    string `json:"mount"`
	Type     string `json:"type,omitempty"`
	Size     int64  `json:"size"`
	Free     int64  `json:"free"`
	ReadOnly bool   `json:"readOnly,omitempty"`
	NoExec   bool   `json:"noExec,omitempty"`
}

// Interface is a network interface. State is the kernel's: up, down, unknown.
type Interface struct {
	Name      string    `json:"name"`
	MAC       string    `json:"mac,omitempty"` // lower case, "" for one without
	State     string    `json:"state,omitempty"`
	Addresses []Address `json:"addresses,omitempty"` // IPv4
}

// Address is an IPv4 address of an interface with the length of its network.
// Scope is ip's: global, link, host. Secondary is one that the kernel never
// sends from by itself.
type Address struct {
	Prefix    netip.Prefix `json:"prefix"`
	Scope     string       `json:"scope"`
	Secondary bool         `json:"secondary,omitempty"`
}

// Route leads to a network; the default route's is 0.0.0.0/0. Gateway is the
// zero Addr for a network that the interface itself is in.
type Route struct {
	Interface   string       `json:"interface"`
	Destination netip.Prefix `json:"destination"`
	Gateway     netip.Addr   `json:"gateway,omitzero"`
	Metric      int          `json:"metric,omitempty"`
}

// Options say what is read. Now is the host's clock. The packages are left out
// unless asked for: that takes a second or more.
type Options struct {
	Now      time.Time
	Packages bool
	Networks cni.Networks // to tell their interfaces from the host's own
	Runtimes cri.Runtimes // the same of them; their data folders are among the disks
}

// Read looks at h and changes nothing. A file or a program that the host lacks
// leaves its facts empty; an error is one that a healthy host does not give.
func Read(ctx context.Context, h *host.Host, o Options) (*Facts, error) {
	f := &Facts{APIVersion: manifest.APIVersion, Kind: Kind, Time: o.Now.UTC().Truncate(time.Second), networks: o.Networks, runtimes: o.Runtimes}
	parts := []struct {
		what string
		read func(context.Context, *host.Host) error
	}{
		{"system", f.readSystem},
		{"hardware", f.readHardware},
		{"identity", f.readIdentity},
		{"disks", f.readDisks},
		{"network", f.readNetwork},
	}
	if o.Packages {
		parts = append(parts, struct {
			what string
			read func(context.Context, *host.Host) error
		}{"packages", f.readPackages})
	}
	for _, p := range parts {
		if err := p.read(ctx, h); err != nil {
			return nil, fmt.Errorf("cannot read this host's %s: %w", p.what, err)
		}
	}
	return f, nil
}

// virtual are the beginnings of the names of interfaces that belong to containers
// and virtual machines within a host, whoever made them: their addresses are the
// same on many hosts, and none of them leads to another host.
func (f *Facts) virtual() []string {
	return slices.Concat(f.runtimes.Links(), cluster(), []string{"virbr", "veth", "vnet", "dummy", "ifb"})
}

// cluster are those of CNI plugins and of Kubernetes itself. What networks make
// stands in package cni.
func cluster() []string { return []string{"cni", "tunl", "kube-", "nodelocaldns"} }

func begins(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Virtual says that an interface of that name belongs to a network of containers
// or of virtual machines within the host, or is its loopback.
func (f *Facts) Virtual(name string) bool {
	return name == "lo" || begins(name, f.virtual()) || f.Cluster(name)
}

// Cluster says that an interface of that name was made by Kubernetes or a network
// of pods.
func (f *Facts) Cluster(name string) bool {
	_, made := f.networks.Link(name)
	return made || begins(name, cluster())
}

// DefaultRoute is the default route with the lowest metric.
func (f *Facts) DefaultRoute() (Route, bool) {
	var best Route
	found := false
	for _, r := range f.Routes {
		if r.Destination.Bits() == 0 && (!found || r.Metric < best.Metric) {
			best, found = r, true
		}
	}
	return best, found
}

// RouteTo says whether a route leads to a.
func (f *Facts) RouteTo(a netip.Addr) bool {
	return slices.ContainsFunc(f.Routes, func(r Route) bool { return r.Destination.Contains(a) })
}

// Disk is that of a path which Read looks at, or the file system of / for
// another.
func (f *Facts) Disk(path string) Disk {
	var root Disk
	for _, d := range f.Disks {
		if d.Path == path {
			return d
		}
		if d.Path == "/" {
			root = d
		}
	}
	return root
}

// MACs are the hardware addresses that tell this host from others.
func (f *Facts) MACs() []string {
	var list []string
	seen := map[string]bool{}
	for _, i := range f.Interfaces {
		if !f.Virtual(i.Name) && i.MAC != "" && !seen[i.MAC] {
			seen[i.MAC] = true
			list = append(list, i.MAC)
		}
	}
	return list
}

// Addresses are the IPv4 addresses by which other hosts may know this one.
func (f *Facts) Addresses() []netip.Addr {
	var list []netip.Addr
	for _, c := range f.global() {
		list = append(list, c.address.Prefix.Addr())
	}
	return list
}

// Same says that o was read on this very machine, under whatever name: they
// share a hardware address, and nothing else tells them apart.
func (f *Facts) Same(o *Facts) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	if differ(f.ProductUUID, o.ProductUUID) || differ(f.MachineID, o.MachineID) {
		return false
	}
	theirs := map[string]bool{}
	for _, m := range o.MACs() {
		theirs[m] = true
	}
	return slices.ContainsFunc(f.MACs(), func(m string) bool { return theirs[m] })
}

// text is a file of the kernel or the system without the space around it, ""
// where it is missing or this program may not read it.
func text(h *host.Host, path string) (string, error) {
	t, err := h.Text(path)
	// EINVAL is what sysfs says of an interface's value that does not exist.
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	return strings.TrimSpace(t), err
}

// output is what a program says, "" for one that the host does not have.
func output(ctx context.Context, h *host.Host, argv ...string) (string, error) {
	out, err := h.Query(ctx, argv...)
	if host.NotFound(err) {
		return "", nil
	}
	return string(out), err
}
