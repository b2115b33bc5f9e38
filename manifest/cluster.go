package manifest

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// The values of kind of the files next to the archive.
const (
	KindCluster = "Cluster"
	KindTicket  = "Ticket"
)

// Cluster describes the cluster: cluster.yaml on the stick, or defaults and flags
// in its place. Every field is optional.
type Cluster struct {
	APIVersion  string `yaml:"apiVersion" json:"apiVersion"`
	Kind        string `yaml:"kind" json:"kind"`
	Name        string `yaml:"name,omitempty" json:"name"`
	Endpoint    string `yaml:"endpoint,omitempty" json:"endpoint,omitempty"` // HOST or HOST:PORT of the control plane
	PodCIDR     string `yaml:"podCIDR,omitempty" json:"podCIDR"`
	ServiceCIDR string `yaml:"serviceCIDR,omitempty" json:"serviceCIDR"`
	DNSDomain   string `yaml:"dnsDomain,omitempty" json:"dnsDomain"`
	Proxy       Proxy  `yaml:"proxy,omitempty" json:"proxy"`
	VIP         *VIP   `yaml:"vip,omitempty" json:"vip,omitempty"` // nil if there is none
	Hosts       []Host `yaml:"hosts,omitempty" json:"hosts,omitempty"`
}

// VIP is the virtual address of the control plane, which keepalived moves to a
// working master. Interface is the masters' interface for it, "" for the one with
// the master's own address. RouterID is VRRP's virtual router ID, 1 to 255, unique
// in the network; 0 means DefaultRouterID.
type VIP struct {
	Address   string `yaml:"address" json:"address"`
	Interface string `yaml:"interface,omitempty" json:"interface,omitempty"`
	RouterID  int    `yaml:"routerID,omitempty" json:"routerID,omitempty"`
}

// DefaultRouterID is the default virtual router ID of a VIP.
const DefaultRouterID = 51

// Proxy holds settings of kube-proxy. A nil conntrack value means kube-proxy's own
// default; 0 makes kube-proxy leave the kernel's limit alone.
type Proxy struct {
	Mode                string `yaml:"mode,omitempty" json:"mode"`
	ConntrackMaxPerCore *int   `yaml:"conntrackMaxPerCore,omitempty" json:"conntrackMaxPerCore,omitempty"`
	ConntrackMin        *int   `yaml:"conntrackMin,omitempty" json:"conntrackMin,omitempty"`
}

// Host is one host of a cluster. Interface is the one that reaches the other hosts,
// "" to find it by the address. Aliases are additional names for /etc/hosts. MAC is
// a hardware address, "" to identify the host by its address or name.
type Host struct {
	Name      string   `yaml:"name" json:"name"`
	Address   string   `yaml:"address" json:"address"`
	Role      Role     `yaml:"role" json:"role"`
	Interface string   `yaml:"interface,omitempty" json:"interface,omitempty"`
	Aliases   []string `yaml:"aliases,omitempty" json:"aliases,omitempty"`
	MAC       string   `yaml:"mac,omitempty" json:"mac,omitempty"`
}

// Controls reports whether the host is part of the control plane.
func (h *Host) Controls() bool { return h.Role != Node }

// The modes of kube-proxy.
const (
	ProxyIPVS     = "ipvs"
	ProxyIPTables = "iptables"
)

// DefaultCluster is the default cluster. Its networks are those of the kubeadm
// tutorial and of flannel's manifest.
func DefaultCluster() *Cluster {
	return &Cluster{
		APIVersion: APIVersion, Kind: KindCluster, Name: "kubernetes",
		PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/12", DNSDomain: "cluster.local",
		Proxy: Proxy{Mode: ProxyIPVS},
	}
}

const clusterHeader = "# written by bundle; install reads it on every host\n"

// Marshal writes the cluster as YAML.
func (c *Cluster) Marshal() ([]byte, error) { return marshal(clusterHeader, c) }

// ControlPlane is HOST:PORT of the control plane: the endpoint, otherwise the
// virtual address; "" if neither is set.
func (c *Cluster) ControlPlane() string {
	switch {
	case c.Endpoint != "":
		return HostPort(c.Endpoint)
	case c.VIP != nil:
		return HostPort(c.VIP.Address)
	}
	return ""
}

// EndpointOr is HOST:PORT at which the control plane of c is reached: ControlPlane,
// otherwise own, the address of the first master; "" if neither is known.
func (c *Cluster) EndpointOr(own netip.Addr) string {
	switch at := c.ControlPlane(); {
	case at != "":
		return at
	case own.IsValid():
		return HostPort(own.String())
	}
	return ""
}

// Masters are the hosts with a control plane, in order: the first one initializes
// the cluster.
func (c *Cluster) Masters() []Host {
	var list []Host
	for _, h := range c.Hosts {
		if h.Controls() {
			list = append(list, h)
		}
	}
	return list
}

// ParseCluster reads a cluster strictly, over the defaults; errors call the file
// name. The error is an *InvalidError.
func ParseCluster(name string, data []byte) (*Cluster, error) {
	c := DefaultCluster()
	c.APIVersion, c.Kind = "", ""
	doc, err := decode(name, data, decoder{limit: maxHostValues}, MaxSize, c)
	if err != nil {
		return nil, err
	}
	if err := invalid(name, validateCluster(c).problems(doc)); err != nil {
		return nil, err
	}
	return c, nil
}

// ReadCluster is ParseCluster for a file. If it is missing, the error satisfies
// os.IsNotExist.
func ReadCluster(file media.File) (*Cluster, error) {
	text, err := file.Read(MaxSize)
	if os.IsNotExist(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster file: %w", err)
	}
	c, err := ParseCluster(file.Path(), text)
	return c, hint.With(err, "correct %s, or move it away to use only flags", file.Path())
}

// Validate checks a cluster after flags have changed it. The error is an
// *InvalidError.
func (c *Cluster) Validate() error {
	return invalid("cluster", validateCluster(c).problems(nil))
}

func validateCluster(c *Cluster) *findings {
	f := &findings{}
	f.header(c.APIVersion, c.Kind, KindCluster)
	if c.Name != "" && !isLabel(c.Name) {
		f.add(root.key("name"), "%q is not a valid name: want up to 63 lower-case letters, digits and dashes", c.Name)
	}
	if c.Endpoint != "" {
		f.endpoint(root.key("endpoint"), c.Endpoint)
	}
	pods := f.network(root.key("podCIDR"), c.PodCIDR)
	services := f.network(root.key("serviceCIDR"), c.ServiceCIDR)
	if pods.IsValid() && services.IsValid() && pods.Overlaps(services) {
		f.add(root.key("serviceCIDR"), "%s overlaps podCIDR %s", services, pods)
	}
	if !isHost(c.DNSDomain) {
		f.add(root.key("dnsDomain"), "%q is not a domain", c.DNSDomain)
	}
	f.sizes(c, pods, services)
	f.proxy(&c.Proxy)
	f.hosts(c.Hosts, pods, services)
	f.vip(c, pods, services)
	return f
}

// sizes checks the sizes of the networks: kubeadm needs ten service addresses, the
// API server accepts 20 bits of them, and the controller manager assigns every host
// a /24 of the pod network.
func (f *findings) sizes(c *Cluster, pods, services netip.Prefix) {
	const largest, smallest, perHost = 12, 28, 24 // bits
	if services.IsValid() && (services.Bits() < largest || services.Bits() > smallest) {
		f.add(root.key("serviceCIDR"), "%s is not between /%d and /%d, as Kubernetes requires", services, largest, smallest)
	}
	switch {
	case !pods.IsValid():
	case pods.Bits() > perHost:
		f.add(root.key("podCIDR"), "%s is too small: every host needs a /%d of it", pods, perHost)
	case len(c.Hosts) > 1<<(perHost-pods.Bits()):
		f.add(root.key("podCIDR"), "%s has room for %d hosts with a /%d each, but there are %d", pods, 1<<(perHost-pods.Bits()), perHost, len(c.Hosts))
	}
}

func (f *findings) proxy(p *Proxy) {
	at := root.key("proxy")
	f.word(at.key("mode"), p.Mode, []string{ProxyIPVS, ProxyIPTables})
	for _, v := range []struct {
		key string
		n   *int
	}{{"conntrackMaxPerCore", p.ConntrackMaxPerCore}, {"conntrackMin", p.ConntrackMin}} {
		if v.n != nil && (*v.n < 0 || *v.n > math.MaxInt32) {
			f.add(at.key(v.key), "%d is not between 0 and %d", *v.n, math.MaxInt32)
		}
	}
}

// iface checks the name of a network interface, if set.
func (f *findings) iface(at path, name string) {
	if name != "" && !isInterface(name) {
		f.add(at, "%q is not a valid interface name", name)
	}
}

func (f *findings) vip(c *Cluster, networks ...netip.Prefix) {
	if c.VIP == nil {
		return
	}
	at := root.key("vip")
	const lastRouter = 255 // VRRP's
	if c.VIP.RouterID < 0 || c.VIP.RouterID > lastRouter {
		f.add(at.key("routerID"), "%d is not between 1 and %d", c.VIP.RouterID, lastRouter)
	}
	f.iface(at.key("interface"), c.VIP.Interface)
	a, err := netip.ParseAddr(c.VIP.Address)
	if err != nil || !a.Is4() {
		f.add(at.key("address"), "%q is not an IPv4 address", c.VIP.Address)
		return
	}
	if !isUnicast(a) {
		f.add(at.key("address"), "%s cannot be the address of a host", a)
	}
	for _, h := range c.Hosts {
		if h.Address == c.VIP.Address {
			f.add(at.key("address"), "%s is the address of %s: want an unused address", a, h.Name)
		}
	}
	for _, n := range networks {
		if n.IsValid() && n.Contains(a) {
			f.add(at.key("address"), "%s is inside the cluster network %s", a, n)
		}
	}
}

func (f *findings) hosts(hosts []Host, networks ...netip.Prefix) {
	at := root.key("hosts")
	names, addresses, macs := map[string]int{}, map[string]int{}, map[string]int{}
	for i, h := range hosts {
		here := at.index(i)
		for _, name := range append([]string{h.Name}, h.Aliases...) {
			if !isHost(name) {
				f.add(here.key("name"), "%q is not a valid host name: want lower-case letters, digits, dashes and dots", name)
			} else if isNumber(name) {
				f.add(here.key("name"), "%q looks like an address: want a name whose last part has a letter", name)
			} else if name == "localhost" || strings.HasPrefix(name, "localhost.") {
				f.add(here.key("name"), "%q is every host's name for itself", name)
			} else if first, twice := names[name]; twice {
				f.add(here.key("name"), "%q is already the name of hosts[%d]", name, first)
			}
			names[name] = i
		}
		f.mac(here.key("mac"), h.MAC, i, macs)
		f.iface(here.key("interface"), h.Interface)
		a, err := netip.ParseAddr(h.Address)
		if err != nil || !a.Is4() {
			f.add(here.key("address"), "%q is not an IPv4 address", h.Address)
			continue
		}
		if !isUnicast(a) {
			f.add(here.key("address"), "%s cannot be the address of a host", a)
		}
		if first, twice := addresses[h.Address]; twice {
			f.add(here.key("address"), "%s is already the address of hosts[%d]", a, first)
		}
		addresses[h.Address] = i
		for _, n := range networks {
			if n.IsValid() && n.Contains(a) {
				f.add(here.key("address"), "%s is inside the cluster network %s", a, n)
			}
		}
		f.word(here.key("role"), string(h.Role), []string{string(Master), string(Node), string(Single)})
		f.need(here.key("role"), string(h.Role))
	}
}

// mac checks a hardware address; seen holds those of the previous hosts.
func (f *findings) mac(at path, text string, i int, seen map[string]int) {
	if text == "" {
		return
	}
	hw, err := net.ParseMAC(text)
	if err != nil {
		f.add(at, "%q is not a hardware address: want the form 52:54:00:12:34:56", text)
		return
	}
	if first, twice := seen[hw.String()]; twice {
		f.add(at, "%s is already the hardware address of hosts[%d]", hw, first)
	}
	seen[hw.String()] = i
}
