package target

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"reflect"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/identity"
)

const identityFile = identity.FileName

// Choice is the ticket to use, and why.
type Choice struct {
	Join   *manifest.Ticket // of the cluster to join; nil if the host initialises one or is already a member
	Begin  *manifest.Ticket // from the identity, for the cluster that this master initialises
	Sealed *manifest.Ticket // of the identity as opened; nil before that
	Err    error            // why the ticket this host needs is missing or unusable
	Origin Origin           // of Join or Begin
	Path   string           // of the ticket file, whether or not it exists

	counts   *manifest.Ticket // Sealed, with the token of the ticket the operator named
	warnings []string
}

// Origin is the source of the ticket in use.
type Origin string

// The origins of a ticket.
const (
	NoTicket     Origin = ""         // none needed or none found
	FromFlags    Origin = "flags"    // --master, --token and --ca-cert-hash
	FromFile     Origin = "file"     // --ticket
	FromStick    Origin = "stick"    // join.yaml beside the archive
	FromIdentity Origin = "identity" // sealed in identity.age
)

// host is the part of this host that the choice of a ticket depends on.
type host struct {
	role    manifest.Role
	self    *manifest.Host // in the cluster's list, or nil
	address string         // "" if unknown
}

// ErrNoTicket means that a host has to join and has no ticket.
var ErrNoTicket = errors.New("no ticket for the cluster to join")

// missingTicket is ErrNoTicket for a file that does not exist.
func missingTicket(path string) error {
	return hint.With(fmt.Errorf("%w: %s is missing", ErrNoTicket, path),
		"on the master, with the stick: ./install ticket; then here: --ticket FILE, or --master HOST --token TOKEN --ca-cert-hash HASH, which ./install ticket --show prints there")
}

// byIdentity reports whether the cluster has an identity made in advance: on the
// stick, or used when this host was installed.
func byIdentity(in *Inputs) bool {
	if in.Saved != nil && (in.Saved.Finished || in.Saved.Identity) {
		return in.Saved.Identity
	}
	return in.Identity
}

// chooseTicket decides which ticket the host uses. Flags take precedence over --ticket,
// and --ticket over join.yaml on the stick. A master with an identity uses the sealed
// ticket, and from another one only the token, if the operator names it. A member of
// a cluster uses none.
func chooseTicket(in *Inputs, h host) (Choice, error) {
	c := Choice{Path: in.Ticket.Path}
	t := in.Ticket.Ticket
	if in.Ticket.Err != nil {
		t = nil
		c.unusable(in, h, in.Ticket.Err)
	}
	if byIdentity(in) {
		joins, err := c.chooseByIdentity(in, h, t)
		if err != nil {
			return Choice{}, err
		}
		if h.role != manifest.Node && in.Sealed != nil {
			c.seal(in, in.Sealed, joins)
		}
	} else {
		c.chooseFound(in, h, t)
	}
	switch {
	case c.Join == nil && c.Begin == nil:
	case c.counts != nil:
		c.Origin = FromIdentity
	case in.Request.Join.ByHand():
		c.Origin = FromFlags
	case in.Request.Join.Ticket != "":
		c.Origin = FromFile
	default:
		c.Origin = FromStick
	}
	return c, nil
}

// chooseFound chooses without an identity. A master joins only if the ticket allows
// it; a ticket that it wrote itself, or one for nodes, does not make it join.
func (c *Choice) chooseFound(in *Inputs, h host, t *manifest.Ticket) {
	if t == nil || h.role == manifest.Node {
		c.Join = t
		if t == nil && c.Err == nil && needsTicket(in.Saved, h.role) {
			c.Err = missingTicket(c.Path)
		}
		return
	}
	at, _, _ := strings.Cut(t.Endpoint, ":")
	own := at == h.address || h.self != nil && at == h.self.Name
	if in.Saved.began() || own && t.CertificateKey == "" {
		return
	}
	if t.CertificateKey == "" {
		c.Err = hint.With(fmt.Errorf("%s is a ticket for nodes of the cluster at %s: a master cannot join with it", c.Path, t.Endpoint),
			"on its master: ./install ticket --control-plane; or, to initialise another cluster: rm %s", c.Path)
	}
	c.Join = t
}

// chooseByIdentity lets the first listed master initialise the cluster, unless another
// one already runs it, and every other host join.
func (c *Choice) chooseByIdentity(in *Inputs, h host, t *manifest.Ticket) (joins bool, err error) {
	switch {
	case in.Saved.joined() != "":
		c.Join = t
		return true, nil
	case h.role == manifest.Node:
	case in.Saved != nil:
		c.Begin = t
		return false, nil
	case h.self == nil:
		return false, hint.With(errors.New("this host is not in the cluster's list, and a master with an identity has to be"),
			"correct the hosts in %s: this host has %s", ClusterFile, describeHost(in.Facts))
	case firstOf(in.Cluster, h.self) && !in.Running:
		c.Begin = t
		return false, nil
	}
	c.Join = t
	if t == nil && c.Err == nil {
		c.Err = hint.With(fmt.Errorf("there is an identity but no ticket to join with: %s is missing", c.Path), "on a master of the cluster: ./install ticket writes one")
	}
	return true, nil
}

// firstOf reports whether self is the master that initialises the cluster.
func firstOf(c *manifest.Cluster, self *manifest.Host) bool {
	masters := c.Masters()
	return len(masters) > 0 && masters[0].Name == self.Name
}

// needsTicket reports whether this host still has to join with a ticket.
func needsTicket(saved *State, role manifest.Role) bool {
	switch {
	case saved == nil:
		return role == manifest.Node
	case saved.Finished:
		return false
	}
	return role == manifest.Node || saved.Joined != ""
}

// unusable records why a ticket cannot be used, if it is or could be needed: a member
// of a cluster no longer needs one.
func (c *Choice) unusable(in *Inputs, h host, err error) {
	byIdentity := byIdentity(in)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.role != manifest.Node && (in.Saved.finished() || !byIdentity):
		// A master writes its ticket to the file of --ticket.
	case in.Saved.finished(), in.Saved.began() && h.role != manifest.Node && !byIdentity:
		c.warnings = append(c.warnings, fmt.Sprintf("%v; ignored", err))
	default:
		if hint.Of(err) == "" {
			err = hint.With(err, "on the master, with the stick: ./install ticket writes it again")
		}
		c.Err = err
	}
}

// seal makes t, the identity's ticket, the one this master uses to join or to
// initialise the cluster. A join.yaml that differs is ignored with a warning. Only a
// ticket named by the operator contributes its token: a master may have made it after
// the identity's token expired.
func (c *Choice) seal(in *Inputs, t *manifest.Ticket, joins bool) {
	counts := *t
	there := c.Join
	if there == nil {
		there = c.Begin
	}
	if there != nil {
		named := in.Request.Join.named()
		if list := differing(there, &counts); len(list) > 0 && counts.Token != "" && !named {
			c.warnings = append(c.warnings, fmt.Sprintf("%s and the ticket in %s differ in %s: the sealed ticket is used. To use a token that a master made later, name its file: --ticket FILE",
				c.Path, identityFile, strings.Join(list, ", ")))
		}
		if named {
			counts.Token, counts.Expires, counts.Issued, counts.CertificateKey = there.Token, there.Expires, there.Issued, there.CertificateKey
		}
	}
	c.Sealed, c.counts, c.Err = t, &counts, nil
	switch {
	case counts.Token == "": // already a member
		c.Join, c.Begin = nil, nil
	case joins:
		c.Join = &counts
		if counts.Expired(in.Now) && !in.Saved.finished() {
			c.Err = hint.With(fmt.Errorf("the ticket in %s expired at %s", identityFile, counts.Expires),
				"on a master of the cluster: ./install ticket; then here: ./install --ticket %s", c.Path)
		}
	default:
		c.Begin = &counts
	}
}

// CAHash is the hash of the CA of a master with an identity, "" if unknown.
func (c *Choice) CAHash() string {
	for _, t := range []*manifest.Ticket{c.Sealed, c.Begin, c.Join} {
		if t != nil {
			return t.CACertHashes[0]
		}
	}
	return ""
}

// sealedCluster is cluster overridden by the identity's ticket, with the list of
// differences.
func sealedCluster(cluster *manifest.Cluster, t *manifest.Ticket) (*manifest.Cluster, []string) {
	c := *cluster
	var list []string
	if t.PodCIDR != "" && c.PodCIDR != t.PodCIDR {
		list, c.PodCIDR = append(list, "podCIDR"), t.PodCIDR
	}
	if t.ProxyMode != "" && c.Proxy.Mode != t.ProxyMode {
		list, c.Proxy.Mode = append(list, "proxy.mode"), t.ProxyMode
	}
	for _, h := range t.Hosts {
		i := slices.IndexFunc(c.Hosts, func(o manifest.Host) bool { return o.Name == h.Name && reflect.DeepEqual(o, h) })
		if i < 0 {
			list, c.Hosts = append(list, "host "+h.Name), replaced(c.Hosts, h)
		}
	}
	return &c, list
}

// replaced returns hosts with h replacing every host with its name or address.
func replaced(hosts []manifest.Host, h manifest.Host) []manifest.Host {
	out := slices.DeleteFunc(slices.Clone(hosts), func(o manifest.Host) bool { return o.Name == h.Name || o.Address == h.Address })
	return append(out, h)
}

// differing lists the fields in which two tickets differ.
func differing(a, b *manifest.Ticket) []string {
	var list []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"cluster", a.Cluster == b.Cluster},
		{"endpoint", a.Endpoint == b.Endpoint},
		{"token", a.Token == b.Token},
		{"caCertHashes", slices.Equal(a.CACertHashes, b.CACertHashes)},
		{"expires", a.Expires == b.Expires},
		{"issued", a.Issued == b.Issued},
		{"certificateKey", a.CertificateKey == b.CertificateKey},
		{"kubernetes", a.Kubernetes == b.Kubernetes},
		{"timeServer", a.TimeServer == b.TimeServer},
		{"hosts", reflect.DeepEqual(a.Hosts, b.Hosts)},
		{"podCIDR", a.PodCIDR == b.PodCIDR},
		{"proxyMode", a.ProxyMode == b.ProxyMode},
	} {
		if !f.same {
			list = append(list, f.name)
		}
	}
	return list
}

// OtherMasters are the API servers (HOST:PORT) to ask whether one of them runs the
// ticket's cluster: a first master that was lost and is reinstalled must join it, not
// initialise a second one. Empty if the answer would change nothing.
func OtherMasters(in Inputs) []string {
	self, err := facts.Self(in.Facts, in.Cluster)
	t := in.Ticket.Ticket
	if err != nil || self == nil || t == nil || in.Saved != nil || !byIdentity(&in) || !firstOf(in.Cluster, self) {
		return nil
	}
	if role, err := decideRole(&in, self); err != nil || role == manifest.Node {
		return nil
	}
	port := manifest.EndpointPort
	if at, p, err := net.SplitHostPort(manifest.HostPort(t.Endpoint)); err == nil && !isHost(in.Cluster, at) {
		port = p // of a name or address shared by all masters
	}
	var list []string
	for _, m := range in.Cluster.Masters()[1:] {
		list = append(list, net.JoinHostPort(m.Address, port))
	}
	return list
}

// isHost reports whether name is the name, an alias or the address of a single host.
func isHost(c *manifest.Cluster, name string) bool {
	return slices.ContainsFunc(c.Hosts, func(h manifest.Host) bool {
		return h.Name == name || h.Address == name || slices.Contains(h.Aliases, name)
	})
}

// Belongs checks that the ticket and the cluster on the stick match the identity in
// file, which was just opened; t was decided before.
func (t *Target) Belongs(f *facts.Facts, sealed *manifest.Ticket, file string) error {
	if t.Cluster.ControlPlane() == "" {
		return identity.Untrusted(identity.Remake, "%s names neither an endpoint nor a vip, but %s was made for %s", ClusterFile, file, sealed.Endpoint)
	}
	if at := manifest.HostPort(t.Cluster.ControlPlane()); at != sealed.Endpoint {
		return identity.Untrusted(identity.Remake, "%s puts the control plane at %s, but %s was made for %s", ClusterFile, at, file, sealed.Endpoint)
	}
	for _, there := range []*manifest.Ticket{t.Ticket.Join, t.Ticket.Begin} {
		switch {
		case there == nil:
		case !slices.Equal(there.CACertHashes, sealed.CACertHashes):
			return identity.Untrusted(identity.Remake, "%s is not a ticket of %s: it pins another CA, %s", t.Ticket.Path, file, strings.Join(there.CACertHashes, ", "))
		case there.Endpoint != sealed.Endpoint:
			return identity.Untrusted(identity.Remake, "%s is for %s, but %s was made for %s", t.Ticket.Path, there.Endpoint, file, sealed.Endpoint)
		}
	}
	if t.Ticket.Join != nil {
		return nil
	}
	of := &manifest.Cluster{Hosts: sealed.Hosts}
	self, err := facts.Self(f, of)
	if masters := of.Masters(); err == nil && len(masters) > 0 && (self == nil || self.Name != masters[0].Name) {
		return identity.Untrusted(identity.Remake, "%s makes this host the first master, but in %s the first is %s", ClusterFile, file, masters[0].Name)
	}
	return err
}
