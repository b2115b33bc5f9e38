package cni

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/host"
)

// The protocols of ports.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Port is one that a network uses on every host.
type Port struct {
	Protocol string // TCP or UDP
	Number   int
	What     string // for a sentence: "calico's BGP"
	Between  bool   // the hosts reach it on each other
}

// String is the port as a person writes it: "UDP 8472".
func (p Port) String() string { return fmt.Sprintf("%s %d", strings.ToUpper(p.Protocol), p.Number) }

// Link is a network interface that a network makes.
type Link struct {
	Name   string // or the beginning of it
	Prefix bool   // Name is the beginning only
	Of     string // whose it is, for a sentence
	// Module is that a kernel module creates the link: it cannot be deleted, and
	// only the addresses on it are the network's.
	Module bool
}

// Is says whether an interface of a name is such a link.
func (l Link) Is(name string) bool {
	return name == l.Name || l.Prefix && strings.HasPrefix(name, l.Name)
}

// RemoveCommand is what removes the link of a name by hand.
func (l Link) RemoveCommand(name string) string {
	if l.Module {
		return "ip address flush dev " + name
	}
	return "ip link delete " + name
}

// Remove removes the link of a name, or from one of a kernel module the addresses
// within pods. The zero prefix is that those are not known.
func (l Link) Remove(ctx context.Context, h *host.Host, name string, pods netip.Prefix) error {
	if l.Module {
		return quiet(ctx, h, name, pods)
	}
	return RemoveLink(ctx, h, name)
}

// RemoveLink deletes a network interface; one that is already gone is not an error.
func RemoveLink(ctx context.Context, h *host.Host, name string) error {
	err := h.Change(ctx, host.Command("ip", "link", "delete", name), nil)
	if err == nil {
		return nil
	}
	if there, _ := h.Exists("/sys/class/net/" + name); !there {
		return nil
	}
	return err
}

// quiet takes the addresses within pods from a link, and sets it down where it
// has no other.
func quiet(ctx context.Context, h *host.Host, name string, pods netip.Prefix) error {
	if !pods.IsValid() {
		return nil
	}
	const ip, dev, address = "ip", "dev", "address"
	ours, err := h.Query(ctx, ip, "-o", "-4", address, "show", dev, name, "to", pods.String())
	if host.NotFound(err) || err == nil && len(strings.TrimSpace(string(ours))) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := h.Change(ctx, host.Command(ip, address, "flush", dev, name, "to", pods.String()), nil); err != nil {
		return err
	}
	others, err := h.Query(ctx, ip, "-o", address, "show", dev, name)
	if err == nil && len(strings.TrimSpace(string(others))) == 0 {
		err = h.Change(ctx, host.Command(ip, "link", "set", name, "down"), nil)
	}
	return err
}

// Chain is a family of netfilter chains.
type Chain struct {
	Prefix string // of their names
	Of     string // whose they are, for a sentence
	// Harmful is that they, left behind, may drop what the pods of another network
	// send.
	Harmful bool
}

// Folder is a directory that a network's pods fill on their host.
type Folder struct {
	Path  string
	Stays Stay
}

// Stay is what remains of a Folder when the cluster is taken back.
type Stay int

// Nothing; the empty directory; the empty directory where it was there before.
const (
	StaysNot Stay = iota
	StaysEmpty
	StaysIfBefore
)

// Record is a file of NAME=VALUE lines in which a network's pods note on each
// host which network all pods are in.
type Record struct{ File, Name string }

// Plugin is a program that the package kubernetes-cni brings up to some version.
type Plugin struct {
	Name  string
	Until string // the first version of kubernetes-cni without it
	Image string // part of the name of an image that brings it
	Fix   string // what makes a bundle have it
}

// Link finds the network interface of a name among those that networks make.
func (t Networks) Link(name string) (Link, bool) {
	for _, n := range t.each() {
		if i := slices.IndexFunc(n.Links, func(l Link) bool { return l.Is(name) }); i >= 0 {
			return n.Links[i], true
		}
	}
	return Link{}, false
}

// Chains lists the chains that networks make, each prefix once.
func (t Networks) Chains() []Chain {
	var list []Chain
	for _, n := range t.each() {
		for _, c := range n.Chains {
			if !slices.ContainsFunc(list, func(x Chain) bool { return x.Prefix == c.Prefix }) {
				list = append(list, c)
			}
		}
	}
	return list
}

// HasChain says whether a chain of netfilter is a network's.
func (t Networks) HasChain(name string) bool {
	return slices.ContainsFunc(t.each(), func(n Network) bool {
		return slices.ContainsFunc(n.Chains, func(c Chain) bool { return strings.HasPrefix(name, c.Prefix) })
	})
}

// HasComment says whether the comment of a rule of netfilter is a network's.
func (t Networks) HasComment(text string) bool {
	return t.begins(text, func(n Network) []string { return n.Comments })
}

// HasSet says whether a set of addresses is a network's.
func (t Networks) HasSet(name string) bool {
	return t.begins(name, func(n Network) []string { return n.Sets })
}

// HasNamespace says whether a network's pods run in a namespace, kube-* left out.
func (t Networks) HasNamespace(name string) bool {
	return t.begins(name, func(n Network) []string { return n.Namespaces })
}

// begins says whether text begins as one of a list of any network does.
func (t Networks) begins(text string, list func(Network) []string) bool {
	return slices.ContainsFunc(t.each(), func(n Network) bool { return begins(text, list(n)) })
}

func begins(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

// Folders lists the directories that the pods of networks fill, each once.
func (t Networks) Folders() []Folder {
	var list []Folder
	for _, n := range t.each() {
		for _, f := range n.Folders {
			if !slices.ContainsFunc(list, func(x Folder) bool { return x.Path == f.Path }) {
				list = append(list, f)
			}
		}
	}
	return list
}

// HasPlugin says whether the pods of a network bring a program of that name.
func (t Networks) HasPlugin(name string) bool {
	return slices.ContainsFunc(t.each(), func(n Network) bool { return slices.Contains(n.Plugins, name) })
}

// Recorded is what the pods of a network noted on this host as the network of
// all pods, "" where none did. Whoever runs pods here may have written it.
func (t Networks) Recorded(h *host.Host) (string, error) {
	for _, n := range t.each() {
		if n.Record.File == "" {
			continue
		}
		text, err := h.Text(n.Record.File)
		if err != nil {
			return "", err
		}
		found := ""
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), n.Record.Name+"="); ok {
				found = value
			}
		}
		if found != "" {
			return found, nil
		}
	}
	return "", nil
}

// Misses says whether the reason why a pod does not start names a Record: the
// pod of the network has not run on that host.
func (t Networks) Misses(reason string) bool {
	return slices.ContainsFunc(t.each(), func(n Network) bool {
		return n.Record.File != "" && strings.Contains(reason, n.Record.File)
	})
}
