// Package target decides what a host becomes: a pure function of the operator's
// request, the cluster, the host, an earlier run and the tickets. It does no I/O, and
// a Target is immutable.
package target

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/prep"
)

// Inputs are everything a decision depends on. Bundle, Cluster and Facts are
// required.
type Inputs struct {
	Request  Request
	Bundle   string            // name of the bundle
	Cluster  *manifest.Cluster // see Cluster
	Facts    *facts.Facts
	Saved    *State           // of an earlier run, or nil
	Ticket   Found            // the one the operator named, or the one on the stick
	Identity bool             // the stick has a sealed identity
	Sealed   *manifest.Ticket // from the opened identity, now or in an earlier run; nil before that
	Running  bool             // one of OtherMasters answers as the ticket's cluster
	Now      time.Time
}

// Found is a ticket that was read. Path is where it is, or would be. If Err is set,
// it says why the ticket cannot be used, and Ticket is nil.
type Found struct {
	Ticket *manifest.Ticket
	Path   string
	Err    error
}

// Target is what a host becomes.
type Target struct {
	Role       manifest.Role
	Hostname   string            // to set, "" to keep the current one
	Node       string            // node name in the cluster
	Advertise  string            // the address the operator gave, now or earlier, or ""
	Address    netip.Addr        // of this host within the cluster; the zero Addr if unknown
	AddressErr error             // why Address is unknown
	Interface  string            // that reaches the other hosts
	Named      string            // the interface the operator named, now or earlier
	Cluster    *manifest.Cluster // as described, overridden by the sealed ticket
	Effective  *manifest.Cluster // Cluster with the known hosts and the endpoint
	Hosts      []manifest.Host   // known hosts, including this one
	Entries    []prep.Entry      // for /etc/hosts
	Endpoint   string            // HOST:PORT of the control plane, "" if unknown
	Clock      prep.Clock        // time source
	First      bool              // this host initialises the cluster
	ByIdentity bool              // the cluster has an identity made in advance
	Ticket     Choice            // which ticket counts
	Told       Told              // what the ticket says of the cluster
	Warnings   []string          // for the operator
}

// ErrRole means that no source gives this host's role.
var ErrRole = errors.New("cannot determine the role of this host: --role is missing, want master, node or single")

// Decide returns what the host becomes. An error is something the operator has to
// change first; what is only missing on this host is recorded in the Target.
func Decide(in Inputs) (Target, error) {
	self, err := facts.Self(in.Facts, in.Cluster)
	if err != nil {
		return Target{}, err
	}
	t := Target{Hostname: hostname(&in, self), ByIdentity: byIdentity(&in), Named: in.Request.Interface}
	if t.Role, err = decideRole(&in, self); err != nil {
		return Target{}, err
	}
	t.Advertise = in.Request.Address
	if in.Saved != nil {
		t.Advertise, t.Named = cmp.Or(t.Advertise, in.Saved.Address), cmp.Or(t.Named, in.Saved.Named)
	}
	t.Address, t.Interface, t.AddressErr = facts.AddressOf(in.Facts, in.Cluster, t.Advertise)
	if !t.Address.IsValid() && t.AddressErr == nil {
		t.AddressErr = errors.New("the address of this host within the cluster is not known")
	}
	t.Interface = cmp.Or(t.Named, t.Interface)
	t.Node = strings.ToLower(cmp.Or(t.Hostname, in.Facts.Hostname))
	if t.Ticket, err = chooseTicket(&in, host{t.Role, self, addressText(t.Address)}); err != nil {
		return Target{}, err
	}
	t.Cluster, t.Warnings = in.Cluster, t.Ticket.warnings
	if t.Ticket.counts != nil {
		var differs []string
		if t.Cluster, differs = sealedCluster(in.Cluster, t.Ticket.counts); len(differs) > 0 {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s and %s differ in %s: the sealed values are used", ClusterFile, identityFile, strings.Join(differs, ", ")))
		}
	}
	t.First = t.Role != manifest.Node && t.Ticket.Join == nil && in.Saved.joined() == ""
	t.Told = told(t.Ticket.Join, in.Saved)
	t.Endpoint = endpoint(t.Ticket.Join, in.Saved, t.Cluster, t.Address)
	t.Hosts = knownHosts(t.Cluster.Hosts, t.Told.Hosts, t.host())
	t.Entries = entries(t.Hosts, t.Endpoint, t.AddressText())
	t.Effective = t.effective()
	t.Clock = t.clock(in.Facts)
	return t, nil
}

// AddressText is the address, "" where there is none.
func (t *Target) AddressText() string { return addressText(t.Address) }

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Members are the names of the cluster's listed nodes.
func (t *Target) Members() []string {
	var list []string
	for _, h := range t.Cluster.Hosts {
		list = append(list, strings.ToLower(h.Name))
	}
	return list
}

// State is the part of t that is saved, apart from what the bundle says.
func (t *Target) State() State {
	s := State{
		Role: t.Role, Hostname: t.Hostname, Address: t.AddressText(), Interface: t.Interface, Named: t.Named, Cluster: t.Cluster,
		Identity: t.ByIdentity, Sealed: WithoutSecrets(t.Ticket.Sealed),
	}
	if !t.First {
		s.Joined, s.Told = t.Endpoint, t.Told
	}
	return s
}

func decideRole(in *Inputs, self *manifest.Host) (manifest.Role, error) {
	role := in.Request.Role
	if role == "" && in.Saved != nil {
		role = in.Saved.Role
	}
	if role == "" && self != nil {
		role = self.Role
	}
	switch {
	case role == "" && len(in.Cluster.Hosts) > 0:
		return "", hint.With(ErrRole, "or add this host to the hosts in %s: it has %s", ClusterFile, describeHost(in.Facts))
	case role == "":
		return "", ErrRole
	case in.Saved != nil && in.Saved.Role != role:
		return "", hint.With(fmt.Errorf("this host is a %s and cannot become a %s without a reset", in.Saved.Role, role), "%s, then ./install --role %s", ResetCommand(in.Saved.Role), role)
	case in.Saved != nil && in.Saved.Bundle != in.Bundle:
		return "", hint.With(fmt.Errorf("this host was installed from %s, but this bundle is %s", in.Saved.Bundle, in.Bundle), "%s, then ./install --role %s", ResetCommand(in.Saved.Role), role)
	}
	return role, nil
}

// ResetCommand is the command that resets a host of the role: on a master it asks
// for the node's name, on a node it requires --yes.
func ResetCommand(role manifest.Role) string {
	if role == manifest.Node {
		return "./install reset --yes"
	}
	return "./install reset"
}

// hostname is the name to set on this host, "" to keep the current one.
func hostname(in *Inputs, self *manifest.Host) string {
	switch {
	case in.Request.Hostname != "":
		return in.Request.Hostname
	case self != nil:
		return self.Name
	case in.Saved != nil:
		return in.Saved.Hostname
	}
	return ""
}

// describeHost lists what identifies this host.
func describeHost(f *facts.Facts) string {
	list := []string{"the name " + f.Hostname}
	for _, a := range f.Addresses() {
		list = append(list, "the address "+a.String())
	}
	for _, m := range f.MACs() {
		list = append(list, "the MAC "+m)
	}
	return strings.Join(list, ", ")
}

// clock is the time source: the first master serves its own clock to the network it
// shares with the other hosts.
func (t *Target) clock(f *facts.Facts) prep.Clock {
	if t.First {
		for _, i := range f.Interfaces {
			for _, a := range i.Addresses {
				if a.Prefix.Addr() == t.Address {
					return prep.Clock{Serve: []netip.Prefix{a.Prefix.Masked()}}
				}
			}
		}
		return prep.Clock{}
	}
	server := t.Told.TimeServer
	if server == t.AddressText() {
		server = ""
	}
	for _, h := range t.Hosts {
		if server == "" && h.Controls() && h.Address != t.AddressText() {
			server = h.Address
		}
	}
	a, err := netip.ParseAddr(server)
	if err != nil {
		return prep.Clock{}
	}
	return prep.Clock{Server: a}
}
