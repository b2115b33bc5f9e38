package manifest

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// Ticket holds what a host needs to join a cluster: join.yaml on the stick. It is
// secret until Token expires. CACertHashes are in kubeadm's format: "sha256:" and
// the SHA-256 of the CA's SubjectPublicKeyInfo in hex. CertificateKey, 64 hex
// digits, lets a host join the control plane; "" does not.
type Ticket struct {
	APIVersion     string   `yaml:"apiVersion" json:"apiVersion"`
	Kind           string   `yaml:"kind" json:"kind"`
	Cluster        string   `yaml:"cluster" json:"cluster"`   // its name
	Endpoint       string   `yaml:"endpoint" json:"endpoint"` // HOST:PORT
	Token          string   `yaml:"token" json:"token"`
	CACertHashes   []string `yaml:"caCertHashes" json:"caCertHashes"`
	Expires        string   `yaml:"expires" json:"expires"`                   // RFC 3339, "" never
	Issued         string   `yaml:"issued,omitempty" json:"issued,omitempty"` // RFC 3339, by the clock of its creator
	CertificateKey string   `yaml:"certificateKey,omitempty" json:"certificateKey,omitempty"`
	// Settings that the other hosts take from the master.
	Kubernetes string `yaml:"kubernetes,omitempty" json:"kubernetes,omitempty"` // version
	TimeServer string `yaml:"timeServer,omitempty" json:"timeServer,omitempty"` // address that serves time
	Hosts      []Host `yaml:"hosts,omitempty" json:"hosts,omitempty"`           // for /etc/hosts
	PodCIDR    string `yaml:"podCIDR,omitempty" json:"podCIDR,omitempty"`
	ProxyMode  string `yaml:"proxyMode,omitempty" json:"proxyMode,omitempty"`
}

// tokenForm matches bootstrap tokens, as in kubeadm's api/bootstraptoken.
var tokenForm = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

const ticketHeader = "# written by install; whoever has it can join the cluster until it expires\n"

// ParseTicket reads a ticket strictly; errors call the file name. The error is an
// *InvalidError, which does not contain the token.
func ParseTicket(name string, data []byte) (*Ticket, error) {
	t := &Ticket{}
	doc, err := decode(name, data, decoder{limit: maxHostValues}, MaxTicket, t)
	if err != nil {
		return nil, err
	}
	if err := invalid(name, validateTicket(t).problems(doc)); err != nil {
		return nil, err
	}
	return t, nil
}

// MaxTicket limits the size of a ticket, in bytes: one with 5,000 hosts has 500 kB.
const MaxTicket = 1 << 20

// ReadTicket is ParseTicket for a file. If it is missing, the error satisfies
// os.IsNotExist.
func ReadTicket(file media.File) (*Ticket, error) {
	text, err := file.Read(MaxTicket)
	if os.IsNotExist(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the ticket: %w", err)
	}
	t, err := ParseTicket(file.Path(), text)
	return t, hint.With(err, "to recreate it, on the master: ./install ticket")
}

// Validate checks a ticket built from flags.
func (t *Ticket) Validate() error { return invalid("ticket", validateTicket(t).problems(nil)) }

// Marshal returns the ticket as YAML.
func (t *Ticket) Marshal() ([]byte, error) { return marshal(ticketHeader, t) }

// issued checks the time of issue, if set.
func (f *findings) issued(t *Ticket) {
	if _, err := time.Parse(time.RFC3339, t.Issued); t.Issued != "" && err != nil {
		f.add(root.key("issued"), "%q is not a time: want the form 2020-05-01T12:00:00Z", t.Issued)
	}
}

// Expired reports whether the ticket has expired at now.
func (t *Ticket) Expired(now time.Time) bool {
	at, err := time.Parse(time.RFC3339, t.Expires)
	return err == nil && !now.Before(at)
}

// maxHashes limits the CAs that a ticket may pin; kubeadm accepts several during a
// CA rotation.
const maxHashes = 8

// validateTicket is as strict as validateCluster: the hosts that read a ticket
// cannot tell who wrote it.
func validateTicket(t *Ticket) *findings {
	f := &findings{}
	f.issued(t)
	f.header(t.APIVersion, t.Kind, KindTicket)
	if t.Cluster != "" && !isLabel(t.Cluster) {
		f.add(root.key("cluster"), "%q is not a valid name: want up to 63 lower-case letters, digits and dashes", t.Cluster)
	}
	if at := root.key("endpoint"); f.need(at, t.Endpoint) {
		f.endpoint(at, t.Endpoint)
	}
	f.secrets(t)
	if _, err := time.Parse(time.RFC3339, t.Expires); t.Expires != "" && err != nil {
		f.add(root.key("expires"), "%q is not a time: want the form 2020-05-01T12:00:00Z", t.Expires)
	}
	if t.Kubernetes != "" && !versionForm.MatchString(t.Kubernetes) {
		f.add(root.key("kubernetes"), "%q is not a version: want the form v1.17.4", t.Kubernetes)
	}
	if a, err := netip.ParseAddr(t.TimeServer); t.TimeServer != "" && (err != nil || !a.Is4() || !isUnicast(a)) {
		f.add(root.key("timeServer"), "%q is not the IPv4 address of a host", t.TimeServer)
	}
	if t.ProxyMode != "" {
		f.word(root.key("proxyMode"), t.ProxyMode, []string{ProxyIPVS, ProxyIPTables})
	}
	var pods netip.Prefix
	if t.PodCIDR != "" {
		pods = f.network(root.key("podCIDR"), t.PodCIDR)
	}
	for _, v := range [][2]string{{"endpoint", t.Endpoint}, {"timeServer", t.TimeServer}} {
		host, _ := splitEndpoint(v[1])
		if a, err := netip.ParseAddr(host); err == nil && pods.IsValid() && pods.Contains(a) {
			f.add(root.key(v[0]), "%s is inside the cluster network %s", a, pods)
		}
	}
	f.hosts(t.Hosts, pods)
	return f
}

// secrets checks the credentials for joining.
func (f *findings) secrets(t *Ticket) {
	if at := root.key("token"); f.need(at, t.Token) && !tokenForm.MatchString(t.Token) {
		f.add(at, "not a token: want 6 characters, a dot and 16 characters, of a-z and 0-9")
	}
	at := root.key("caCertHashes")
	if len(t.CACertHashes) == 0 {
		f.need(at, "")
	}
	if len(t.CACertHashes) > maxHashes {
		f.add(at, "too many: %d, at most %d are accepted", len(t.CACertHashes), maxHashes)
	}
	for i, h := range t.CACertHashes {
		if !digestForm.MatchString(h) {
			f.add(at.index(i), "%q is not a hash: want sha256: and 64 hex digits", h)
		}
	}
	if t.CertificateKey != "" && !sha256Form.MatchString(t.CertificateKey) {
		f.add(root.key("certificateKey"), "not a key: want 64 hex digits")
	}
}
