package kubeadm

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"kubecrate/manifest"
)

const (
	initComment    = "# for kubeadm, written by install; it holds no secret\n"
	privateComment = "# for kubeadm, written by install; it holds a secret and goes when kubeadm has read it\n"

	// Without a bootstrap token kubeadm makes one that is valid for a day. This one
	// is short-lived and never shown; the ticket has its own.
	firstTTL          = 10 * time.Minute
	firstDescription  = ownDescription + "made with the cluster, and known to nobody"
	ticketDescription = ownDescription + "the ticket that install wrote"
	ownDescription    = "kubecrate: " // prefix of the description of each of our tokens
)

// InitConfig is what kubeadm init reads: a YAML stream of InitConfiguration,
// ClusterConfiguration, KubeProxyConfiguration and KubeletConfiguration. It
// holds no secret.
func InitConfig(o Options) ([]byte, error) {
	return initConfig(o, initComment, bootstrapToken{Description: firstDescription, TTL: firstTTL.String()})
}

// givenConfig is InitConfig with the token of the ticket that was made before the
// cluster, a secret. It is nil without a valid ticket.
func givenConfig(o Options, now time.Time) ([]byte, error) {
	if o.Given == nil || o.Given.Expired(now) {
		return nil, nil
	}
	life := time.Duration(0) // never expires
	if at, err := time.Parse(time.RFC3339, o.Given.Expires); err == nil {
		life = at.Sub(now).Round(time.Second)
	}
	return initConfig(o, privateComment, bootstrapToken{Token: o.Given.Token, Description: ticketDescription, TTL: life.String()})
}

func initConfig(o Options, comment string, token bootstrapToken) ([]byte, error) {
	r, api, err := o.release()
	if err != nil {
		return nil, err
	}
	first, err := o.initDocument(r, api)
	if err != nil {
		return nil, err
	}
	first.BootstrapTokens = []bootstrapToken{token}
	p := o.Cluster.Proxy
	proxy := proxyDocument{header: header{"kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration"}, Mode: p.Mode}
	if p.ConntrackMaxPerCore != nil || p.ConntrackMin != nil {
		proxy.Conntrack = &conntrack{p.ConntrackMaxPerCore, p.ConntrackMin}
	}
	return render(comment, first, o.clusterDocument(api), proxy,
		kubeletDocument{header{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"}, "systemd"})
}

// tokenConfig is what kubeadm token create and the upload-certs phase read: it
// holds the token and, unless it is "", the certificate key.
func tokenConfig(o Options, token, certificateKey string, ttl time.Duration) ([]byte, error) {
	r, api, err := o.release()
	if err != nil {
		return nil, err
	}
	first, err := o.initDocument(r, api)
	if err != nil {
		return nil, err
	}
	first.BootstrapTokens = []bootstrapToken{{Token: token, Description: ticketDescription, TTL: ttl.String()}}
	first.CertificateKey = certificateKey
	return render(privateComment, first, o.clusterDocument(api))
}

// joinConfig is what kubeadm join reads; it holds the ticket's secrets.
func joinConfig(o Options, t *manifest.Ticket, controlPlane bool) ([]byte, error) {
	r, api, err := o.release()
	if err != nil {
		return nil, err
	}
	d := joinDocument{
		header:           header{api, "JoinConfiguration"},
		Discovery:        discovery{tokenDiscovery{manifest.HostPort(t.Endpoint), t.Token, t.CACertHashes}},
		NodeRegistration: o.registration(r),
	}
	if controlPlane {
		port, err := o.bindPort()
		if err != nil {
			return nil, err
		}
		if o.Schedulable {
			d.NodeRegistration.Taints = &[]string{}
		}
		d.ControlPlane = &joinControlPlane{t.CertificateKey, apiEndpoint{o.Address.String(), port}}
	}
	return render(privateComment, d)
}

func (o *Options) release() (r release, api string, err error) {
	if r, err = parseRelease(o.Version); err == nil {
		api, err = r.configVersion()
	}
	if err != nil {
		err = fmt.Errorf("cannot render the configuration of kubeadm: %w", err)
	}
	return r, api, err
}

func (o *Options) initDocument(r release, api string) (initDocument, error) {
	d := initDocument{header: header{api, "InitConfiguration"}, NodeRegistration: o.registration(r)}
	port, err := o.bindPort()
	if err != nil {
		return d, err
	}
	d.LocalAPIEndpoint = apiEndpoint{o.Address.String(), port}
	if o.Schedulable {
		d.NodeRegistration.Taints = &[]string{}
	}
	return d, nil
}

// registration names the kubelet's address: without a default route, or with
// more than one interface, it would find none or the wrong one.
func (o *Options) registration(r release) registration {
	return registration{
		Name: o.Node, CRISocket: o.criSocket(r),
		KubeletExtraArgs: r.extraArgs(map[string]string{"node-ip": o.Address.String()}),
	}
}

func (o *Options) clusterDocument(api string) clusterDocument {
	c := o.Cluster
	return clusterDocument{
		header:               header{api, "ClusterConfiguration"},
		ClusterName:          c.Name,
		KubernetesVersion:    o.Version,
		ControlPlaneEndpoint: o.Endpoint(),
		ImageRepository:      o.Repository,
		Networking:           networking{c.PodCIDR, c.ServiceCIDR, c.DNSDomain},
		APIServer:            apiServer{o.certSANs()},
		Etcd:                 etcd{localEtcd{etcdDir}},
	}
}

// Endpoint is HOST:PORT at which the cluster is reached: what cluster.yaml says,
// or else the address of the first master.
func (o *Options) Endpoint() string { return o.Cluster.EndpointOr(o.Address) }

// bindPort is where the API server of this host listens: 6443, unless the
// endpoint is this very host and has another port.
func (o *Options) bindPort() (int, error) {
	name, text, err := net.SplitHostPort(o.Endpoint())
	if err != nil {
		return 0, fmt.Errorf("cannot read the endpoint: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("cannot read the endpoint's port: %w", err)
	}
	if slices.Contains(o.ownNames(), name) {
		return port, nil
	}
	return apiPort, nil
}

// ownNames are this host's address and the names that cluster.yaml gives it, and
// the virtual address, which may come to this host.
func (o *Options) ownNames() []string {
	own := []string{o.Address.String(), o.Node}
	if o.Cluster.VIP != nil {
		own = append(own, o.Cluster.VIP.Address)
	}
	for _, h := range o.Cluster.Hosts {
		if h.Address == o.Address.String() {
			own = append(append(own, h.Name), h.Aliases...)
		}
	}
	return own
}

// certSANs are the names under which the API server is trusted, of every master
// that is known.
func (o *Options) certSANs() []string {
	name, _, _ := strings.Cut(o.Endpoint(), ":")
	all := append([]string{name}, o.ownNames()...)
	for _, h := range o.Cluster.Hosts {
		if h.Role != manifest.Node {
			all = append(append(all, h.Name, h.Address), h.Aliases...)
		}
	}
	var sans []string
	for _, s := range all {
		if !slices.Contains(sans, s) {
			sans = append(sans, s)
		}
	}
	return sans
}
