package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/kubeadm"
)

// What kubeadm 1.17 itself makes (client-go's cert.NewSelfSignedCACert, kubeadm's
// pkiutil.NewPrivateKey): RSA of 2048 bits, ten years. Its own certificates inherit
// the beginning of the CA's, so that a day before now forgives slow clocks.
const (
	keyBits  = 2048
	years    = 10
	backdate = 24 * time.Hour
	rsaType  = "RSA PRIVATE KEY"
)

// DefaultTTL is how long hosts may join with the ticket of an identity: the
// hosts are visited days after it was made, on a round that may take days.
const DefaultTTL = 7 * 24 * time.Hour

// Options say what New makes. Bits are for tests only; 0 is kubeadm's own size.
type Options struct {
	TTL  time.Duration // of the ticket; 0 is DefaultTTL
	Now  time.Time
	Bits int
}

// New makes the identity of cluster, which must list its hosts, among them a
// master. It completes cluster: an endpoint that is not said is the virtual
// address, or else the address of the first master. Nothing is written anywhere.
func New(cluster *manifest.Cluster, o Options) (*Identity, error) {
	if err := Complete(cluster); err != nil {
		return nil, err
	}
	if o.TTL <= 0 {
		o.TTL = DefaultTTL
	}
	if o.Bits == 0 {
		o.Bits = keyBits
	}
	id := &Identity{Files: map[string][]byte{}}
	for file, name := range map[string]string{"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd/ca": "etcd-ca"} {
		if err := id.authority(file, name, o); err != nil {
			return nil, fmt.Errorf("cannot create the certificate authority %s: %w", name, err)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, o.Bits)
	if err == nil {
		id.Files["sa.key"] = keyPEM(key)
		id.Files["sa.pub"], err = publicKeyPEM(&key.PublicKey)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create the service account key: %w", err)
	}
	if err := id.issue(cluster, o); err != nil {
		return nil, err
	}
	err = id.check()
	return id, err
}

// Complete checks whether an identity can be made of cluster, and says its
// endpoint where it does not.
func Complete(cluster *manifest.Cluster) error {
	const example = "list them in cluster.yaml: hosts: [{name: master1, address: 192.168.4.11, role: master}, {name: node1, address: 192.168.4.12, role: node}]"
	masters := cluster.Masters()
	switch {
	case len(cluster.Hosts) == 0:
		return hint.With(errors.New("cannot create an identity: the cluster file lists no hosts"), "%s", example)
	case len(masters) == 0:
		return hint.With(errors.New("cannot create an identity: no host is a master"), "%s", example)
	}
	own, _ := netip.ParseAddr(masters[0].Address) // Validate says what is wrong with it
	cluster.Endpoint = cluster.EndpointOr(own)
	return cluster.Validate()
}

// authority makes a CA as kubeadm makes it, but for its beginning.
func (i *Identity) authority(file, name string, o Options) error {
	key, err := rsa.GenerateKey(rand.Reader, o.Bits)
	if err != nil {
		return err
	}
	begin := o.Now.Add(-backdate).UTC()
	template := &x509.Certificate{
		SerialNumber:          new(big.Int),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             begin,
		NotAfter:              begin.AddDate(years, 0, 0),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	i.Files[file+".crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	i.Files[file+".key"] = keyPEM(key)
	return nil
}

// issue makes the ticket.
func (i *Identity) issue(c *manifest.Cluster, o Options) error {
	hash, err := kubeadm.CAHash(i.Files["ca.crt"])
	if err != nil {
		return err
	}
	i.Ticket = &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket,
		Cluster: c.Name, Endpoint: manifest.HostPort(c.Endpoint),
		Token: kubeadm.NewToken(), CACertHashes: []string{hash},
		Expires:    o.Now.Add(o.TTL).UTC().Format(time.RFC3339),
		Issued:     o.Now.UTC().Format(time.RFC3339),
		TimeServer: c.Masters()[0].Address, Hosts: c.Hosts,
		PodCIDR: c.PodCIDR, ProxyMode: c.Proxy.Mode,
	}
	if err := i.Ticket.Validate(); err != nil {
		return fmt.Errorf("cannot create a ticket: %w", err)
	}
	i.Text, err = i.Ticket.Marshal()
	return err
}

func keyPEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: rsaType, Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func publicKeyPEM(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}
