package kubeadm

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"kubecrate/pkg/host"
)

// CAHash is how kubeadm pins a CA: "sha256:" and the SHA-256 of the
// SubjectPublicKeyInfo in hex. text holds the certificate in PEM; the first one
// counts.
func CAHash(text []byte) (string, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return "", errors.New("cannot hash the CA: no PEM certificate found")
		}
		if block.Type != "CERTIFICATE" {
			text = rest
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("cannot hash the CA: %w", err)
		}
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		return "sha256:" + hex.EncodeToString(sum[:]), nil
	}
}

// cluster is what a kubeconfig says of its cluster.
type cluster struct {
	server string // URL
	caHash string
}

// readKubeconfig reads the first cluster of a kubeconfig as kubeadm, kubectl and
// the kubelet write it: a key a line. ok is false if it contains no CA.
func readKubeconfig(text string) (c cluster, ok bool) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "- "), ":")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case key == "server" && c.server == "":
			c.server = value
		case key == "certificate-authority-data" && c.caHash == "":
			ca, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return c, false
			}
			if c.caHash, err = CAHash(ca); err != nil {
				return c, false
			}
		}
	}
	return c, c.caHash != ""
}

// clusterIn reads the cluster out of a kubeconfig of the host, and its CA from
// pki if the kubeconfig only names that file. A missing file returns the zero cluster.
func clusterIn(h *host.Host, name string) (cluster, error) {
	text, err := h.Text(name)
	if err != nil || text == "" {
		return cluster{}, err
	}
	c, ok := readKubeconfig(text)
	if ok {
		return c, nil
	}
	c.caHash, err = caHashOf(h)
	return c, err
}

// caHashOf hashes the CA of the host, "" without one.
func caHashOf(h *host.Host) (string, error) {
	text, err := h.Text(caFile)
	if err != nil || text == "" {
		return "", err
	}
	hash, err := CAHash([]byte(text))
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, caFile)
	}
	return hash, nil
}
