// Package target decides what a host becomes: a pure function of what the operator
// says, the cluster, the host, an earlier run and the tickets. Nothing here looks at
// a disk or a network, and nothing of a Target changes once it is made.
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

// Inputs are all that a decision rests on. Bundle and Cluster and Facts must be
// there.
type Inputs struct {
	Request  Request
	Bundle   string            // its name
	Cluster  *manifest.Cluster // see Cluster
	Facts    *facts.Facts
	Saved    *State           // of an earlier run, nil without one
	Ticket   Found            // what the operator named, or what lies on the stick
	Identity bool             // a sealed identity lies on the stick
	Sealed   *manifest.Ticket // that came out of the identity, now or in an earlier run; nil before
	Running  bool             // one of OtherMasters answers as the ticket's cluster
	Now      time.Time
}

// Found is a ticket that was read. Path is where it was found, or would be; Err is
// why it cannot be used, and there is no ticket then.
type Found struct {
	Ticket *manifest.Ticket
	Path   string
	Err    error
}

// Target is what a host becomes.
type Target struct {
	Role       manifest.Role
	Hostname   string            // that it is to have, "" for the one it has
	Node       string            // what it is called in the cluster
	Advertise  string            // the address as the operator gave it, now or earlier; "" for none
	Address    netip.Addr        // by which the others know it; the zero Addr where it is not known
	AddressErr error             // why it is not
	Interface  string            // that leads to the others
	Named      string            // the interface that the operator named, now or earlier
	Cluster    *manifest.Cluster // as it is described; what is sealed counts
	Effective  *manifest.Cluster // with what this host adds: the hosts that are known, the endpoint
	Hosts      []manifest.Host   // that are known, this one among them
	Entries    []prep.Entry      // for /etc/hosts
	Endpoint   string            // HOST:PORT of the control plane, "" where it is not known
	Clock      prep.Clock        // where the time comes from
	First      bool              // it begins the cluster
	ByIdentity bool              // the cluster's identity was made before its hosts
	Ticket     Choice            // which ticket counts
	Told       Told              // by the ticket
	Warnings   []string          // that the operator has to know
}

// ErrRole is a role that nobody named.
var ErrRole = errors.New("cannot tell what this host is to become: --role is missing, want master, node or single")

// Decide says what the host becomes. An error is something that the operator has to
// change first; what is only missing on this host stands in the Target.
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
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s differs from what %s was made with in %s: what is sealed counts", ClusterFile, identityFile, strings.Join(differs, ", ")))
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

// Members are the names of the nodes that the cluster is to have.
func (t *Target) Members() []string {
	var list []string
	for _, h := range t.Cluster.Hosts {
		list = append(list, strings.ToLower(h.Name))
	}
	return list
}

// State is what is kept of t beside what the bundle says.
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
		return "", hint.With(fmt.Errorf("this host was made a %s, and cannot become a %s as it is", in.Saved.Role, role), "%s, then ./install --role %s", ResetCommand(in.Saved.Role), role)
	case in.Saved != nil && in.Saved.Bundle != in.Bundle:
		return "", hint.With(fmt.Errorf("this host was installed from %s, this is %s", in.Saved.Bundle, in.Bundle), "%s, then ./install --role %s", ResetCommand(in.Saved.Role), role)
	}
	return role, nil
}

// ResetCommand is what resets a host of role when it is typed: a master's asks
// for the node's name, a node's wants to be told that it is meant.
func ResetCommand(role manifest.Role) string {
	if role == manifest.Node {
		return "./install reset --yes"
	}
	return "./install reset"
}

// hostname is the name that this host is to have, "" for the one it has.
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

// describeHost is what tells this host from others.
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

// clock says where the time comes from: the first master serves its own to the
// network that it shares with the others.
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
