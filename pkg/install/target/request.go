package target

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// Request is what the operator asks for. Empty fields are taken from cluster.yaml
// beside the archive, from an earlier run, or from the host.
type Request struct {
	Role        manifest.Role // "": that of an earlier run, or of this host in cluster.yaml
	ClusterFile string        // "": cluster.yaml beside the archive, if present
	Hosts       []string      // NAME=ADDRESS or NAME=ADDRESS=ROLE, for /etc/hosts
	Hostname    string
	Address     string // of this host within the cluster
	Interface   string
	Endpoint    string
	PodCIDR     string
	ServiceCIDR string
	ProxyMode   string
	Join        Join
	Identity    string // file of the sealed identity; "": identity.age beside the archive, if present
}

// Join says which cluster a host joins: by a ticket file ("" is join.yaml beside the
// archive) or by flags.
type Join struct {
	Ticket     string
	Master     string // HOST or HOST:PORT
	Token      string // a secret
	CACertHash []string
}

// ClusterFile is the name of the file beside the archive that describes the cluster.
const ClusterFile = "cluster.yaml"

// Cluster applies the request to the cluster described by file, else to the one saved
// by an earlier run, else to the default. file and saved may be nil and are not
// changed.
func Cluster(r Request, file *manifest.Cluster, saved *State) (*manifest.Cluster, error) {
	c := *manifest.DefaultCluster()
	switch {
	case file != nil:
		c = *file
	case saved != nil:
		c = *saved.Cluster
	}
	c.Endpoint = cmp.Or(r.Endpoint, c.Endpoint)
	c.PodCIDR = cmp.Or(r.PodCIDR, c.PodCIDR)
	c.ServiceCIDR = cmp.Or(r.ServiceCIDR, c.ServiceCIDR)
	c.Proxy.Mode = cmp.Or(r.ProxyMode, c.Proxy.Mode)
	hosts, err := parseHosts(r.Hosts)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		c.Hosts = withHost(c.Hosts, h)
	}
	err = c.Validate()
	return &c, err
}

// parseHosts parses NAME=ADDRESS[=ROLE]; the default role is node.
func parseHosts(list []string) ([]manifest.Host, error) {
	var hosts []manifest.Host
	for _, text := range list {
		parts := strings.Split(text, "=")
		const least, most = 2, 3
		if len(parts) < least || len(parts) > most {
			return nil, hint.With(fmt.Errorf("cannot read --hosts %q", text), "--hosts master1=192.168.4.11=master,node1=192.168.4.12")
		}
		if _, err := netip.ParseAddr(parts[1]); err != nil {
			return nil, hint.With(fmt.Errorf("cannot read --hosts %q: %q is not an IP address", text, parts[1]), "--hosts master1=192.168.4.11=master,node1=192.168.4.12")
		}
		h := manifest.Host{Name: parts[0], Address: parts[1], Role: manifest.Node}
		if len(parts) == most {
			h.Role = manifest.Role(parts[2])
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// withHost returns hosts with h replacing those with its name or address, or appended.
func withHost(hosts []manifest.Host, h manifest.Host) []manifest.Host {
	out := make([]manifest.Host, 0, len(hosts)+1)
	placed := false
	for _, old := range hosts {
		switch same := old.Name == h.Name || old.Address == h.Address; {
		case !same:
			out = append(out, old)
		case !placed:
			h.Aliases, placed = append(h.Aliases, old.Aliases...), true
			out = append(out, h)
		}
	}
	if !placed {
		out = append(out, h)
	}
	return out
}

// ByHand reports whether the ticket is given by flags.
func (j *Join) ByHand() bool { return j.Master != "" || j.Token != "" || len(j.CACertHash) > 0 }

// named reports whether the operator chose the ticket.
func (j *Join) named() bool { return j.Ticket != "" || j.Master != "" }

// ByFlags returns the ticket given by flags.
func (j *Join) ByFlags() (*manifest.Ticket, error) {
	t := &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket,
		Endpoint: manifest.HostPort(j.Master), Token: j.Token, CACertHashes: j.CACertHash,
	}
	if j.Master == "" || j.Token == "" || len(j.CACertHash) == 0 {
		return nil, hint.With(errors.New("--master, --token and --ca-cert-hash go together: one is missing"), "on the master: ./install ticket --show prints all three")
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}
