package install

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/step"
)

// sealedName holds, in step.Dir, the ticket of the identity as it came out of it,
// a secret, until the host is through: a run that was cut off does not ask for the
// passphrase again, and takes nothing in its place.
const sealedName = "sealed-join.yaml"

// readSealed gives the ticket that was kept, or what the state says of one, which
// lacks its secrets; nil without either.
func (s *site) readSealed() (*manifest.Ticket, error) {
	if s.unseen {
		return nil, nil
	}
	text, err := s.host.Text(step.Dir + "/" + sealedName)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the ticket of the identity: %w", err)
	case text != "":
		return manifest.ParseTicket(step.Dir+"/"+sealedName, []byte(text))
	case s.saved != nil:
		return s.saved.Sealed, nil
	}
	return nil, nil
}

// keepSealed brings the ticket to the host's disk, where it came out of the
// identity in this run.
func (s *site) keepSealed() error {
	if s.keys == nil {
		return nil
	}
	return keep(s.host, sealedName, s.keys.Text)
}

// dropSealed removes it once nothing is to be joined any more.
func dropSealed(h *host.Host) error {
	ok, err := h.Exists(step.Dir + "/" + sealedName)
	if err != nil || !ok {
		return err
	}
	if err := h.Put(step.Dir+"/"+sealedName, host.FileState{Absent: true}); err != nil {
		return fmt.Errorf("cannot remove the ticket of the identity: %w", err)
	}
	return nil
}

// withoutSecrets is a ticket that anybody may see.
func withoutSecrets(t *manifest.Ticket) *manifest.Ticket {
	if t == nil {
		return nil
	}
	open := *t
	open.Token, open.CertificateKey = "", ""
	return &open
}

// seal makes t, the ticket of the identity, the one that counts on this master:
// nothing is taken from join.yaml or cluster.yaml beside it where they say
// something else, and it is reported that they do. Only a ticket that the
// operator names has its own token: a master may have made it after the
// identity's had ended.
func (s *site) seal(t *manifest.Ticket) {
	counts := *t
	there := s.ticket
	if there == nil {
		there = s.given
	}
	named := s.Join.Ticket != "" || s.Join.Master != ""
	if there != nil {
		if list := differing(there, &counts); len(list) > 0 && counts.Token != "" && !named {
			s.warn("%s differs from the ticket in %s in %s: what is sealed counts, and nothing of it is used. A token that a master made later is used where its file is named: --ticket FILE",
				s.ticketPath, identity.FileName, strings.Join(list, ", "))
		}
		if named {
			counts.Token, counts.Expires, counts.Issued, counts.CertificateKey = there.Token, there.Expires, there.Issued, there.CertificateKey
		}
	}
	s.sealCluster(&counts)
	s.vouched, s.ticketErr = t, nil
	switch {
	case counts.Token == "": // this host has its part in the cluster
		s.ticket, s.given = nil, nil
	case s.ticket != nil:
		s.ticket = &counts
		if counts.Expired(time.Now()) && s.needsJoin() {
			s.ticketErr = hint.With(fmt.Errorf("the ticket in %s expired at %s", identity.FileName, counts.Expires),
				"on a master of the cluster: ./install ticket; then here: ./install --ticket %s", s.ticketPath)
		}
	default:
		s.given = &counts
	}
}

// needsJoin says that this host has yet to join.
func (s *site) needsJoin() bool { return s.saved == nil || !s.saved.Finished }

// sealCluster makes the cluster that of t.
func (s *site) sealCluster(t *manifest.Ticket) {
	c := *s.cluster
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
	s.cluster = &c
	if len(list) > 0 {
		s.warn("%s differs from what %s was made with in %s: what is sealed counts", clusterName, identity.FileName, strings.Join(list, ", "))
	}
}

// replaced puts h in place of every host of its name or its address.
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
