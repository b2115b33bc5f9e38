package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// Settings are what the operator says; what is left out follows from
// cluster.yaml beside the archive, from an earlier run, or from the host.
type Settings struct {
	Archive     string        // path; "" is the one that FindArchive finds
	Role        manifest.Role // "" is that of an earlier run, or of this host in cluster.yaml
	ClusterFile string        // "" is cluster.yaml beside the archive, if it is there
	Hosts       []string      // NAME=ADDRESS or NAME=ADDRESS=ROLE, for /etc/hosts
	Hostname    string
	Address     string // of this host within the cluster
	Interface   string
	Endpoint    string
	PodCIDR     string
	ServiceCIDR string
	ProxyMode   string
	Join        Join
	Identity    string                                                     // "" is identity.age beside the archive, if it is there
	Passphrase  func(ctx context.Context, identity string) (string, error) // asked for on masters only
	TicketTTL   time.Duration                                              // of the ticket that a master writes
	Wait        time.Duration                                              // for the API server and for Ready; 0 is 10 minutes, and for the master of an identity 12 hours
	Skip        []string                                                   // preflight checks that only warn
	NoSmoke     bool
	User        User // who gets a kubeconfig beside root
	Trust       trust.Options
	Dialer      clusterhttp.Dialer // reaches the cluster; nil is the host's own network
	Networks    cni.Networks       // that are known; the zero value is all of this version
	EUID        int                // of this process
	Command     string             // how the program was called, for hints; "" where that holds a secret
	Report      progress.Func
}

// Join are the ways to say which cluster a node joins: by a ticket's file, ""
// for join.yaml beside the archive, or by hand.
type Join struct {
	Ticket     string
	Master     string // HOST or HOST:PORT
	Token      string // a secret
	CACertHash []string
}

// User is who called sudo; UID 0 is nobody else than root.
type User struct {
	Name     string
	UID, GID int
}

// ErrRole is a role that nobody named.
var ErrRole = errors.New("cannot tell what this host is to become: --role is missing, want master, node or single")

const (
	clusterName = "cluster.yaml"
	ticketName  = "join.yaml"
)

// stick is the directory of the archive, "" without one.
func (s *Settings) stick() string {
	if s.Archive == "" {
		return ""
	}
	return filepath.Dir(s.Archive)
}

// onStick is a file beside the archive.
func (s *Settings) onStick(name string) media.File { return media.At(s.stick()).File(name) }

// cluster reads what the cluster is to be, and lays the flags over it.
func (s *Settings) cluster(saved *State) (*manifest.Cluster, error) {
	c, err := s.clusterFile()
	if err != nil {
		return nil, err
	}
	switch {
	case c != nil:
	case saved != nil:
		kept := *saved.Cluster
		c = &kept
	default:
		c = manifest.DefaultCluster()
	}
	c.Endpoint = cmp.Or(s.Endpoint, c.Endpoint)
	c.PodCIDR = cmp.Or(s.PodCIDR, c.PodCIDR)
	c.ServiceCIDR = cmp.Or(s.ServiceCIDR, c.ServiceCIDR)
	c.Proxy.Mode = cmp.Or(s.ProxyMode, c.Proxy.Mode)
	hosts, err := parseHosts(s.Hosts)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		c.Hosts = withHost(c.Hosts, h)
	}
	err = c.Validate()
	return c, err
}

func (s *Settings) clusterFile() (*manifest.Cluster, error) {
	if s.ClusterFile != "" {
		c, err := manifest.ReadCluster(media.Named(s.ClusterFile))
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("cannot read the cluster file: %w", err)
		}
		return c, err
	}
	c, err := manifest.ReadCluster(s.onStick(clusterName))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return c, err
}

// parseHosts reads NAME=ADDRESS[=ROLE]; without a role a host is a node.
func parseHosts(list []string) ([]manifest.Host, error) {
	var hosts []manifest.Host
	for _, text := range list {
		parts := strings.Split(text, "=")
		const least, most = 2, 3
		if len(parts) < least || len(parts) > most {
			return nil, hint.With(fmt.Errorf("cannot read --hosts %q", text), "--hosts master1=192.168.4.11=master,node1=192.168.4.12")
		}
		if _, err := netip.ParseAddr(parts[1]); err != nil {
			return nil, hint.With(fmt.Errorf("cannot read --hosts %q: %q is no address", text, parts[1]), "--hosts master1=192.168.4.11=master,node1=192.168.4.12")
		}
		h := manifest.Host{Name: parts[0], Address: parts[1], Role: manifest.Node}
		if len(parts) == most {
			h.Role = manifest.Role(parts[2])
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// withHost puts h in place of the host of that name or address, or at the end.
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

// ticket reads the ticket that s names, makes one of the flags, or finds the
// one beside the archive; nil where there is none. path is where it was found
// or would be.
func (s *Settings) ticket() (t *manifest.Ticket, path string, err error) {
	path = s.Join.Ticket
	if s.Join.Master != "" || s.Join.Token != "" || len(s.Join.CACertHash) > 0 {
		t, err := s.byHand()
		return t, path, err
	}
	if path != "" {
		t, err := manifest.ReadTicket(media.Named(path))
		if os.IsNotExist(err) {
			err = hint.With(fmt.Errorf("cannot read the ticket: %w", err), "name its file: --ticket FILE; on the master ./install ticket writes it to the stick")
		}
		return t, path, err
	}
	file := s.onStick(ticketName)
	t, err = manifest.ReadTicket(file)
	if os.IsNotExist(err) {
		return nil, file.Path(), nil
	}
	return t, file.Path(), err
}

func (s *Settings) byHand() (*manifest.Ticket, error) {
	t := &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket,
		Endpoint: manifest.HostPort(s.Join.Master), Token: s.Join.Token, CACertHashes: s.Join.CACertHash,
	}
	if s.Join.Master == "" || s.Join.Token == "" || len(s.Join.CACertHash) == 0 {
		return nil, hint.With(errors.New("--master, --token and --ca-cert-hash go together: one is missing"), "on the master: ./install ticket --show prints all three")
	}
	err := t.Validate()
	return t, err
}
