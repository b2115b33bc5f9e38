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

// Choice is which ticket counts, and why.
type Choice struct {
	Join   *manifest.Ticket // of the cluster that this host joins; nil where it begins one, or has its part in one
	Begin  *manifest.Ticket // that an identity brought for the cluster which this master begins
	Sealed *manifest.Ticket // of the identity, as it came out of it; nil before that
	Err    error            // why the ticket that this host needs is not there or cannot be used
	Origin Origin           // where Join or Begin is from
	Path   string           // of the ticket's file, whether it is there or not

	counts   *manifest.Ticket // Sealed, with the token of a ticket that the operator named
	warnings []string
}

// Origin is where the ticket that counts is from.
type Origin string

// The origins of a ticket.
const (
	NoTicket     Origin = ""         // none is needed, or there is none
	FromFlags    Origin = "flags"    // --master, --token and --ca-cert-hash
	FromFile     Origin = "file"     // --ticket
	FromStick    Origin = "stick"    // join.yaml beside the archive
	FromIdentity Origin = "identity" // sealed in identity.age
)

// host is what the choice of a ticket depends on of this host.
type host struct {
	role    manifest.Role
	self    *manifest.Host // in the cluster's list, nil where it is not
	address string         // "" where it is not known
}

// ErrNoTicket is a host that has to join, and does not know which cluster.
var ErrNoTicket = errors.New("there is no ticket that says which cluster to join")

// missingTicket says that there is none at path.
func missingTicket(path string) error {
	return hint.With(fmt.Errorf("%w: %s is missing", ErrNoTicket, path),
		"on the master, with the stick: ./install ticket; then here: --ticket FILE, or --master HOST --token TOKEN --ca-cert-hash HASH, which ./install ticket --show prints there")
}

// byIdentity says that the cluster's identity was made before its hosts: it lies
// on the stick, or this host was installed by it.
func byIdentity(in *Inputs) bool {
	if in.Saved != nil && (in.Saved.Finished || in.Saved.Identity) {
		return in.Saved.Identity
	}
	return in.Identity
}

// chooseTicket says which ticket counts on the host. Of those that a person can
// change, one that is made of flags counts before one that --ticket names, and that
// before join.yaml on the stick. A master by an identity takes what is sealed in it,
// and of another only the token, where the operator names it. A host that has its
// part in a cluster takes none.
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

// chooseFound chooses without an identity. A master joins only where the ticket
// lets it; a ticket that it wrote itself, or a node's, is no reason to.
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
		c.Err = hint.With(fmt.Errorf("%s is the ticket of a cluster at %s, and lets no further master join", c.Path, t.Endpoint),
			"on its master: ./install ticket --control-plane; or, to begin another cluster: rm %s", c.Path)
	}
	c.Join = t
}

// chooseByIdentity lets the first master of the list begin the cluster, unless
// another one runs it already, and every other host join.
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
		return false, hint.With(errors.New("none of the cluster's hosts is this one, and a master by an identity has to be one of them"),
			"correct the hosts in %s: this host has %s", ClusterFile, describeHost(in.Facts))
	case firstOf(in.Cluster, h.self) && !in.Running:
		c.Begin = t
		return false, nil
	}
	c.Join = t
	if t == nil && c.Err == nil {
		c.Err = hint.With(fmt.Errorf("there is an identity, but no ticket to join by: %s is missing", c.Path), "on a master of the cluster: ./install ticket writes one")
	}
	return true, nil
}

// firstOf says that self is the master that begins the cluster.
func firstOf(c *manifest.Cluster, self *manifest.Host) bool {
	masters := c.Masters()
	return len(masters) > 0 && masters[0].Name == self.Name
}

// needsTicket says whether this host has yet to join by a ticket.
func needsTicket(saved *State, role manifest.Role) bool {
	switch {
	case saved == nil:
		return role == manifest.Node
	case saved.Finished:
		return false
	}
	return role == manifest.Node || saved.Joined != ""
}

// unusable keeps why a ticket that was found cannot be used, where it is needed or
// could be: a host that has its part in a cluster no longer asks for one.
func (c *Choice) unusable(in *Inputs, h host, err error) {
	byIdentity := byIdentity(in)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.role != manifest.Node && (in.Saved.finished() || !byIdentity):
		// A master writes its ticket where --ticket says.
	case in.Saved.finished(), in.Saved.began() && h.role != manifest.Node && !byIdentity:
		c.warnings = append(c.warnings, fmt.Sprintf("%v; it is not used", err))
	default:
		if hint.Of(err) == "" {
			err = hint.With(err, "on the master, with the stick: ./install ticket writes it again")
		}
		c.Err = err
	}
}

// seal makes t, the ticket of the identity, the one that counts on this master,
// which joins by it or begins the cluster:
// nothing is taken from join.yaml beside it where that says something else, and it
// is reported that it does. Only a ticket that the operator names has its own
// token: a master may have made it after the identity's had ended.
func (c *Choice) seal(in *Inputs, t *manifest.Ticket, joins bool) {
	counts := *t
	there := c.Join
	if there == nil {
		there = c.Begin
	}
	if there != nil {
		named := in.Request.Join.named()
		if list := differing(there, &counts); len(list) > 0 && counts.Token != "" && !named {
			c.warnings = append(c.warnings, fmt.Sprintf("%s differs from the ticket in %s in %s: what is sealed counts, and nothing of it is used. A token that a master made later is used where its file is named: --ticket FILE",
				c.Path, identityFile, strings.Join(list, ", ")))
		}
		if named {
			counts.Token, counts.Expires, counts.Issued, counts.CertificateKey = there.Token, there.Expires, there.Issued, there.CertificateKey
		}
	}
	c.Sealed, c.counts, c.Err = t, &counts, nil
	switch {
	case counts.Token == "": // this host has its part in the cluster
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

// CAHash is the hash of the CA that a master by an identity is given, "" where it
// is not known.
func (c *Choice) CAHash() string {
	for _, t := range []*manifest.Ticket{c.Sealed, c.Begin, c.Join} {
		if t != nil {
			return t.CACertHashes[0]
		}
	}
	return ""
}

// sealedCluster is c as the ticket of the identity has it, and in what they differ.
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

// replaced is hosts with h in place of every host of its name or its address.
func replaced(hosts []manifest.Host, h manifest.Host) []manifest.Host {
	out := slices.DeleteFunc(slices.Clone(hosts), func(o manifest.Host) bool { return o.Name == h.Name || o.Address == h.Address })
	return append(out, h)
}

// differing names the fields in which two tickets differ.
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

// OtherMasters are the API servers, as HOST:PORT, to ask whether one of them runs
// the ticket's cluster: a first master that was lost and comes back joins it, and
// must not begin a second one. There are none where the answer changes nothing.
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
		port = p // of a name or an address that every master answers to
	}
	var list []string
	for _, m := range in.Cluster.Masters()[1:] {
		list = append(list, net.JoinHostPort(m.Address, port))
	}
	return list
}

// isHost says whether name is that of one host of the cluster, or its address.
func isHost(c *manifest.Cluster, name string) bool {
	return slices.ContainsFunc(c.Hosts, func(h manifest.Host) bool {
		return h.Name == name || h.Address == name || slices.Contains(h.Aliases, name)
	})
}

// Belongs says whether the ticket and the cluster on the stick are those of the
// identity in file, which was just opened. t was decided before it was.
func (t *Target) Belongs(f *facts.Facts, sealed *manifest.Ticket, file string) error {
	if t.Cluster.ControlPlane() == "" {
		return identity.Untrusted(identity.Remake, "%s names neither an endpoint nor a vip, and %s was made for %s", ClusterFile, file, sealed.Endpoint)
	}
	if at := manifest.HostPort(t.Cluster.ControlPlane()); at != sealed.Endpoint {
		return identity.Untrusted(identity.Remake, "%s says that the control plane is at %s, and %s was made for %s", ClusterFile, at, file, sealed.Endpoint)
	}
	for _, there := range []*manifest.Ticket{t.Ticket.Join, t.Ticket.Begin} {
		switch {
		case there == nil:
		case !slices.Equal(there.CACertHashes, sealed.CACertHashes):
			return identity.Untrusted(identity.Remake, "%s is no ticket of %s: it pins the CA %s, which is not the one in it", t.Ticket.Path, file, strings.Join(there.CACertHashes, ", "))
		case there.Endpoint != sealed.Endpoint:
			return identity.Untrusted(identity.Remake, "%s leads to %s, and %s was made for %s", t.Ticket.Path, there.Endpoint, file, sealed.Endpoint)
		}
	}
	if t.Ticket.Join != nil {
		return nil
	}
	of := &manifest.Cluster{Hosts: sealed.Hosts}
	self, err := facts.Self(f, of)
	if masters := of.Masters(); err == nil && len(masters) > 0 && (self == nil || self.Name != masters[0].Name) {
		return identity.Untrusted(identity.Remake, "%s makes this host the first master, and %s was made with %s as the first", ClusterFile, file, masters[0].Name)
	}
	return err
}
