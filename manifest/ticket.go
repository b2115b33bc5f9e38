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

// Ticket is what a host needs to join a cluster: join.yaml on the stick. It is
// a secret while Token lives. CACertHashes are as kubeadm has them: "sha256:"
// and the SHA-256 of the CA's SubjectPublicKeyInfo in hex. CertificateKey, 64
// hex digits, lets a host join the control plane; "" does not.
type Ticket struct {
	APIVersion     string   `yaml:"apiVersion" json:"apiVersion"`
	Kind           string   `yaml:"kind" json:"kind"`
	Cluster        string   `yaml:"cluster" json:"cluster"`   // its name
	Endpoint       string   `yaml:"endpoint" json:"endpoint"` // HOST:PORT
	Token          string   `yaml:"token" json:"token"`
	CACertHashes   []string `yaml:"caCertHashes" json:"caCertHashes"`
	Expires        string   `yaml:"expires" json:"expires"`                   // RFC 3339, "" never
	Issued         string   `yaml:"issued,omitempty" json:"issued,omitempty"` // RFC 3339, by the clock of who made it
	CertificateKey string   `yaml:"certificateKey,omitempty" json:"certificateKey,omitempty"`
	// What the other hosts take over from the master.
	Kubernetes string `yaml:"kubernetes,omitempty" json:"kubernetes,omitempty"` // version
	TimeServer string `yaml:"timeServer,omitempty" json:"timeServer,omitempty"` // address that serves time
	Hosts      []Host `yaml:"hosts,omitempty" json:"hosts,omitempty"`           // for /etc/hosts
	PodCIDR    string `yaml:"podCIDR,omitempty" json:"podCIDR,omitempty"`
	ProxyMode  string `yaml:"proxyMode,omitempty" json:"proxyMode,omitempty"`
}

// tokenForm is that of bootstrap tokens, as kubeadm's api/bootstraptoken has it.
var tokenForm = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

const ticketHeader = "# written by install; whoever has it can join the cluster until it expires\n"

// ParseTicket reads a ticket strictly; name is what errors call the file. The
// error is an *InvalidError, which does not hold the token.
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

// MaxTicket is the largest ticket, in bytes: one that lists 5,000 hosts has 500 kB.
const MaxTicket = 1 << 20

// ReadTicket is ParseTicket for a file; without one the error is one that
// os.IsNotExist knows.
func ReadTicket(file media.File) (*Ticket, error) {
	text, err := file.Read(MaxTicket)
	if os.IsNotExist(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the ticket: %w", err)
	}
	t, err := ParseTicket(file.Path(), text)
	return t, hint.With(err, "on the master: ./install ticket writes it again")
}

// Validate checks a ticket that was made from flags.
func (t *Ticket) Validate() error { return invalid("ticket", validateTicket(t).problems(nil)) }

// Marshal writes the ticket as YAML.
func (t *Ticket) Marshal() ([]byte, error) { return marshal(ticketHeader, t) }

// issued checks when a ticket was made, where it says so.
func (f *findings) issued(t *Ticket) {
	if _, err := time.Parse(time.RFC3339, t.Issued); t.Issued != "" && err != nil {
		f.add(root.key("issued"), "%q is not a time: want such as 2020-05-01T12:00:00Z", t.Issued)
	}
}

// Expired says whether the ticket has expired at now.
func (t *Ticket) Expired(now time.Time) bool {
	at, err := time.Parse(time.RFC3339, t.Expires)
	return err == nil && !now.Before(at)
}

// maxHashes is how many CAs a ticket may pin; kubeadm takes several while a CA
// is exchanged.
const maxHashes = 8

// validateTicket is as strict as validateCluster: a ticket is read on hosts that
// cannot tell who wrote it.
func validateTicket(t *Ticket) *findings {
	f := &findings{}
	f.issued(t)
	f.header(t.APIVersion, t.Kind, KindTicket)
	if t.Cluster != "" && !isLabel(t.Cluster) {
		f.add(root.key("cluster"), "%q is no name: want lower-case letters, digits and dashes, 63 at most", t.Cluster)
	}
	if at := root.key("endpoint"); f.need(at, t.Endpoint) {
		f.endpoint(at, t.Endpoint)
	}
	f.secrets(t)
	if _, err := time.Parse(time.RFC3339, t.Expires); t.Expires != "" && err != nil {
		f.add(root.key("expires"), "%q is no time: want such as 2020-05-01T12:00:00Z", t.Expires)
	}
	if t.Kubernetes != "" && !versionForm.MatchString(t.Kubernetes) {
		f.add(root.key("kubernetes"), "%q is no version: want such as v1.17.4", t.Kubernetes)
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
			f.add(root.key(v[0]), "%s lies in the cluster's own network %s", a, pods)
		}
	}
	f.hosts(t.Hosts, pods)
	return f
}

// secrets checks what lets a host join.
func (f *findings) secrets(t *Ticket) {
	if at := root.key("token"); f.need(at, t.Token) && !tokenForm.MatchString(t.Token) {
		f.add(at, "it is no token: want 6 characters, a dot and 16 characters, of a-z and 0-9")
	}
	at := root.key("caCertHashes")
	if len(t.CACertHashes) == 0 {
		f.need(at, "")
	}
	if len(t.CACertHashes) > maxHashes {
		f.add(at, "there are %d, and at most %d are taken", len(t.CACertHashes), maxHashes)
	}
	for i, h := range t.CACertHashes {
		if !digestForm.MatchString(h) {
			f.add(at.index(i), "%q is no hash: want sha256: and 64 hex digits", h)
		}
	}
	if t.CertificateKey != "" && !sha256Form.MatchString(t.CertificateKey) {
		f.add(root.key("certificateKey"), "it is no key: want 64 hex digits")
	}
}
