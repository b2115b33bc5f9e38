// Package identity makes a cluster's identity before any host of it boots, and
// opens it on the masters: the certificate authorities that kubeadm takes as
// given, the service accounts' key pair and the ticket by which hosts join. All
// of it lies on the stick in one file that a passphrase encrypts, in the form of
// age (age-encryption.org/v1, scrypt): age -d identity.age | tar -t lists it.
package identity

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/kubeadm"
)

// The names of what a stick carries.
const (
	FileName    = "identity.age"
	ClusterName = "cluster.yaml"
	TicketName  = "join.yaml"
)

// Identity is what the masters of a cluster have in common. Files are those of
// kubeadm's pki directory by their paths in it, the eight of Names.
type Identity struct {
	Ticket *manifest.Ticket // as it was made: nothing on the stick can change it
	Text   []byte           // of the ticket
	Files  map[string][]byte
}

// Names lists the files of an identity, in the order in which they are kept.
func Names() []string {
	return []string{
		"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key",
		"etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub",
	}
}

// Error is an identity that cannot be trusted or opened: a wrong passphrase, or
// a file that somebody changed.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is cli.ExitCorrupt.
func (*Error) ExitCode() int { return 4 }

// Untrusted makes an *Error with a hint.
func Untrusted(fix, format string, args ...any) error {
	return hint.With(&Error{fmt.Errorf(format, args...)}, "%s", fix)
}

// Remake is the command that recreates an identity.
const Remake = "on the connected machine: bundle identity new -f cluster.yaml -o DIR, and carry all three files here"

// check says whether the files fit together: each CA is one and has its key, and
// the ticket pins the CA.
func (i *Identity) check() error {
	for _, ca := range []string{"ca", "front-proxy-ca", "etcd/ca"} {
		cert, err := certificate(i.Files[ca+".crt"])
		if err != nil {
			return fmt.Errorf("%s.crt: %w", ca, err)
		}
		key, err := privateKey(i.Files[ca+".key"])
		if err != nil {
			return fmt.Errorf("%s.key: %w", ca, err)
		}
		if !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
			return fmt.Errorf("%s.crt is not a CA certificate for its key", ca)
		}
	}
	key, err := privateKey(i.Files["sa.key"])
	if err != nil {
		return fmt.Errorf("sa.key: %w", err)
	}
	public, err := publicKeyPEM(&key.PublicKey)
	if err != nil || !bytes.Equal(public, i.Files["sa.pub"]) {
		return errors.New("sa.pub is not the public key of sa.key")
	}
	hash, err := kubeadm.CAHash(i.Files["ca.crt"])
	if err == nil && (len(i.Ticket.CACertHashes) != 1 || i.Ticket.CACertHashes[0] != hash) {
		err = errors.New("its ticket has another CA")
	}
	return err
}

func certificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("not a certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func privateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != rsaType {
		return nil, errors.New("not a private key")
	}
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}
