package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/media"
)

// How long a host waits where nothing else is said. With an identity a host may
// be visited long before the first master is.
const (
	usualWait  = 10 * time.Minute
	masterWait = 12 * time.Hour
)

// wait is how long is waited for what is there and only has to come up.
func (s *site) wait() time.Duration {
	if s.Wait > 0 {
		return s.Wait
	}
	return usualWait
}

// limits are what kubeadm's steps wait.
func (s *site) limits() kubeadm.Limits {
	l := kubeadm.Limits{API: s.wait(), Ready: s.wait(), Master: s.wait()}
	if s.byIdentity() && s.Wait <= 0 {
		l.Master = masterWait
	}
	return l
}

// findIdentity looks for the identity on the stick.
func (s *site) findIdentity() error {
	var file media.File
	switch {
	case s.Identity != "":
		file = media.Named(s.Identity)
	case s.Archive != "":
		file = s.onStick(identity.FileName)
	default:
		return nil
	}
	_, err := file.Stat()
	switch {
	case err == nil:
		s.sealed = file
	case s.Identity != "" || !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot read the identity: %w", err)
	}
	return nil
}

// byIdentity says that the cluster's identity was made before its hosts: it lies
// on the stick, or this host was installed by it.
func (s *site) byIdentity() bool {
	if s.saved != nil && (s.saved.Finished || s.saved.Identity) {
		return s.saved.Identity
	}
	return s.sealed.Path() != ""
}

// decideTicket finds what this host joins by. A master joins only where the
// ticket lets it; a ticket that it wrote itself, or a node's, is no reason to.
func (s *site) decideTicket(ctx context.Context) (err error) {
	if err := s.findIdentity(); err != nil {
		return err
	}
	t, path, err := s.Settings.ticket()
	s.ticketPath = path
	if err != nil {
		s.unusable(err)
	}
	if s.byIdentity() {
		if err := s.decideByIdentity(ctx, t); err != nil || s.role == manifest.Node {
			return err
		}
		sealed, err := s.readSealed()
		if sealed != nil {
			s.seal(sealed)
		}
		return err
	}
	if t == nil || s.role == manifest.Node {
		s.ticket = t
		if t == nil && s.ticketErr == nil && s.needsTicket() {
			s.ticketErr = missingTicket(path)
		}
		return nil
	}
	host, _, _ := strings.Cut(t.Endpoint, ":")
	first := s.saved != nil && s.saved.Joined == ""
	switch own := host == s.addressText() || s.self != nil && host == s.self.Name; {
	case first || own && t.CertificateKey == "":
		return nil
	case t.CertificateKey == "":
		s.ticketErr = hint.With(fmt.Errorf("%s is the ticket of a cluster at %s, and lets no further master join", path, t.Endpoint),
			"on its master: ./install ticket --control-plane; or, to begin another cluster: rm %s", path)
	}
	s.ticket = t
	return nil
}

// decideByIdentity lets the first master of the list begin the cluster, unless
// another one runs it already, and every other host join. t is the ticket on the
// stick, nil without one.
func (s *site) decideByIdentity(ctx context.Context, t *manifest.Ticket) error {
	masters := s.cluster.Masters()
	switch {
	case s.saved != nil && s.saved.Joined != "":
		s.ticket = t
		return nil
	case s.role == manifest.Node:
	case s.saved != nil:
		s.given = t
		return nil
	case s.self == nil:
		return hint.With(errors.New("none of the cluster's hosts is this one, and a master by an identity has to be one of them"),
			"correct the hosts in %s: this host has %s", clusterName, s.whoami())
	case s.self.Name == masters[0].Name && !s.runsElsewhere(ctx, t, masters[1:]):
		s.given = t
		return nil
	}
	s.ticket = t
	if t == nil && s.ticketErr == nil {
		s.ticketErr = hint.With(fmt.Errorf("there is an identity, but no ticket to join by: %s is missing", s.ticketPath), "on a master of the cluster: ./install ticket writes one")
	}
	return nil
}

// whoami is what tells this host from others.
func (s *site) whoami() string {
	list := []string{"the name " + s.facts.Hostname}
	for _, a := range s.facts.Addresses() {
		list = append(list, "the address "+a.String())
	}
	for _, m := range s.facts.MACs() {
		list = append(list, "the MAC "+m)
	}
	return strings.Join(list, ", ")
}

// runsElsewhere says that one of masters runs the ticket's cluster: a first master
// that was lost and comes back joins it, and must not begin a second one.
func (s *site) runsElsewhere(ctx context.Context, t *manifest.Ticket, masters []manifest.Host) bool {
	if t == nil {
		return false
	}
	port := manifest.EndpointPort
	if host, p, err := net.SplitHostPort(manifest.HostPort(t.Endpoint)); err == nil && !s.isHost(host) {
		port = p // of a name or an address that every master answers to
	}
	var found atomic.Bool
	var all sync.WaitGroup
	for _, m := range masters {
		all.Go(func() {
			if kubeadm.Answers(ctx, s.Dialer, net.JoinHostPort(m.Address, port), t.CACertHashes) {
				found.Store(true)
			}
		})
	}
	all.Wait()
	return found.Load()
}

// isHost says whether an endpoint is one host of the cluster.
func (s *site) isHost(name string) bool {
	return slices.ContainsFunc(s.cluster.Hosts, func(h manifest.Host) bool {
		return h.Name == name || h.Address == name || slices.Contains(h.Aliases, name)
	})
}

// openIdentity opens the identity on a master that has yet to be given the CAs:
// only there the passphrase is asked for, and before anything is changed. What
// lies beside it on the stick must be what it was made with.
func (s *site) openIdentity(ctx context.Context) (opened bool, err error) {
	if !s.byIdentity() || s.role == manifest.Node {
		return false, nil
	}
	has, err := kubeadm.HasAuthority(s.host)
	if err != nil {
		return false, err
	}
	if has && (s.vouched != nil || s.saved != nil && s.saved.Finished) {
		return false, nil
	}
	if s.sealed.Path() == "" || s.Passphrase == nil {
		return false, hint.With(errors.New("this master has yet to get the cluster's CAs, and there is no identity to take them from"),
			"put the stick with %s in, or name the file: --identity FILE", identity.FileName)
	}
	word, err := s.Passphrase(ctx, s.sealed.Path())
	if err != nil {
		return false, err
	}
	id, err := identity.Read(s.sealed, []byte(word))
	if err != nil {
		return false, err
	}
	if err := s.belongs(id); err != nil {
		return false, err
	}
	s.keys = id
	s.seal(id.Ticket)
	return true, nil
}

// belongs says whether the ticket and the cluster on the stick are those of id.
func (s *site) belongs(id *identity.Identity) error {
	if s.cluster.ControlPlane() == "" {
		return identity.Untrusted(identity.Remake, "%s names neither an endpoint nor a vip, and %s was made for %s", clusterName, s.sealed.Path(), id.Ticket.Endpoint)
	}
	if at := manifest.HostPort(s.cluster.ControlPlane()); at != id.Ticket.Endpoint {
		return identity.Untrusted(identity.Remake, "%s says that the control plane is at %s, and %s was made for %s", clusterName, at, s.sealed.Path(), id.Ticket.Endpoint)
	}
	for _, t := range []*manifest.Ticket{s.ticket, s.given} {
		switch {
		case t == nil:
		case !slices.Equal(t.CACertHashes, id.Ticket.CACertHashes):
			return identity.Untrusted(identity.Remake, "%s is no ticket of %s: it pins the CA %s, which is not the one in it", s.ticketPath, s.sealed.Path(), strings.Join(t.CACertHashes, ", "))
		case t.Endpoint != id.Ticket.Endpoint:
			return identity.Untrusted(identity.Remake, "%s leads to %s, and %s was made for %s", s.ticketPath, t.Endpoint, s.sealed.Path(), id.Ticket.Endpoint)
		}
	}
	if s.ticket != nil { // it joins
		return nil
	}
	of := &manifest.Cluster{Hosts: id.Ticket.Hosts}
	self, err := facts.Self(s.facts, of)
	if masters := of.Masters(); err == nil && len(masters) > 0 && (self == nil || self.Name != masters[0].Name) {
		return identity.Untrusted(identity.Remake, "%s makes this host the first master, and %s was made with %s as the first", clusterName, s.sealed.Path(), masters[0].Name)
	}
	return err
}

// authority says which CAs a master is given.
func (s *site) authority() kubeadm.AuthorityOptions {
	o := kubeadm.AuthorityOptions{Source: identity.FileName}
	for _, t := range []*manifest.Ticket{s.ticket, s.given, s.vouched} {
		if t != nil {
			o.CAHash = t.CACertHashes[0]
		}
	}
	if s.keys != nil {
		o.Files = s.keys.Files
	}
	return o
}

// members are the names of the nodes that the cluster is to have.
func (s *site) members() []string {
	var list []string
	for _, h := range s.cluster.Hosts {
		list = append(list, strings.ToLower(h.Name))
	}
	return list
}

// isAddress says whether an endpoint's host is an address, not a name.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
