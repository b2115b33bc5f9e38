package identity

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/media"
)

const (
	word     = "correct horse battery staple"
	cheap    = 4    // work factor
	testBits = 1024 // the least that Go makes
)

func hosts() *manifest.Cluster {
	c := manifest.DefaultCluster()
	c.Hosts = []manifest.Host{
		{Name: "node1", Address: "192.168.4.21", Role: manifest.Node},
		{Name: "master1", Address: "192.168.4.11", Role: manifest.Master, MAC: "52:54:00:12:34:56"},
		{Name: "master2", Address: "192.168.4.12", Role: manifest.Master},
	}
	return c
}

func made(t *testing.T, now time.Time) *Identity {
	t.Helper()
	id, err := New(hosts(), Options{Now: now, Bits: testBits})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestNew(t *testing.T) {
	t.Parallel()
	now := time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC)
	c := hosts()
	id, err := New(c, Options{Now: now, Bits: testBits})
	if err != nil {
		t.Fatal(err)
	}
	if c.Endpoint != "192.168.4.11:6443" || id.Ticket.Endpoint != c.Endpoint || id.Ticket.TimeServer != "192.168.4.11" {
		t.Errorf("endpoint %s, ticket %+v", c.Endpoint, id.Ticket)
	}
	if id.Ticket.Expires != "2020-05-08T12:00:00Z" || len(id.Ticket.Hosts) != 3 || id.Ticket.CertificateKey != "" {
		t.Errorf("ticket %+v", id.Ticket)
	}
	for file, name := range map[string]string{"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd/ca": "etcd-ca"} {
		cert, err := certificate(id.Files[file+".crt"])
		if err != nil {
			t.Fatal(err)
		}
		if cert.Subject.CommonName != name || !cert.IsCA || cert.CheckSignatureFrom(cert) != nil || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			t.Errorf("%s: %+v", file, cert.Subject)
		}
		if got := now.Sub(cert.NotBefore); got != 24*time.Hour {
			t.Errorf("%s begins %s before now: a slow clock would refuse it", file, got)
		}
	}
	if hash, err := kubeadm.CAHash(id.Files["ca.crt"]); err != nil || id.Ticket.CACertHashes[0] != hash {
		t.Errorf("the ticket pins %v, the CA is %s, %v", id.Ticket.CACertHashes, hash, err)
	}
	if block, _ := pem.Decode(id.Files["sa.pub"]); block == nil || block.Type != "PUBLIC KEY" {
		t.Errorf("sa.pub: %s", id.Files["sa.pub"])
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*manifest.Cluster){
		"lists no hosts":         func(c *manifest.Cluster) { c.Hosts = nil },
		"no host is a master":    func(c *manifest.Cluster) { c.Hosts = c.Hosts[:1] },
		"is not an IPv4 address": func(c *manifest.Cluster) { c.Hosts[0].Address = "x" },
	} {
		c := hosts()
		change(c)
		if _, err := New(c, Options{Bits: testBits}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	c := hosts()
	c.VIP = &manifest.VIP{Address: "192.168.4.100"}
	if err := Complete(c); err != nil || c.Endpoint != "192.168.4.100:6443" {
		t.Errorf("with a virtual address: %s, %v", c.Endpoint, err)
	}
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	id := made(t, time.Now())
	sealed, err := id.Seal([]byte(word), cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{[]byte("PRIVATE KEY"), []byte(id.Ticket.Token), []byte(word)} {
		if bytes.Contains(sealed, secret) {
			t.Error("a secret stands in the sealed file")
		}
	}
	got, err := Open("identity.age", sealed, []byte(word))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Text, id.Text) || got.Ticket.Token != id.Ticket.Token || len(got.Files) != len(Names()) {
		t.Errorf("opened: %+v", got.Ticket)
	}
	for name, text := range id.Files {
		if !bytes.Equal(got.Files[name], text) {
			t.Errorf("%s is another", name)
		}
	}
}

// TestAttacks: whatever was changed gives exit code 4, a message that names the
// file, and none of its secrets.
func TestAttacks(t *testing.T) {
	t.Parallel()
	id := made(t, time.Now())
	sealed, err := id.Seal([]byte(word), cheap)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(change func(map[string][]byte, *[]string)) []byte {
		files, names := map[string][]byte{ticketEntry: id.Text}, append([]string{ticketEntry}, Names()...)
		for n, text := range id.Files {
			files[n] = text
		}
		change(files, &names)
		return encrypt(t, tarOf(t, files, names), word)
	}
	other := made(t, time.Now())
	cases := map[string]struct {
		sealed []byte
		word   string
		says   string
	}{
		"a wrong passphrase":  {sealed, "correct horse battery stable", "wrong passphrase for stick/identity.age"},
		"no passphrase":       {sealed, "", "the passphrase of stick/identity.age is empty"},
		"nothing":             {nil, word, "is damaged or not an identity"},
		"cut off":             {sealed[:len(sealed)-1], word, "is damaged or not an identity"},
		"something after it":  {append(bytes.Clone(sealed), 'x'), word, "is damaged or not an identity"},
		"far too large":       {make([]byte, mostBytes+1), word, "is not an identity: it has 1048577 bytes"},
		"a work factor of 30": {bytes.Replace(sealed, []byte(" 4\n"), []byte(" 30\n"), 1), word, "is damaged or not an identity"},
		"not a tar":           {encrypt(t, []byte(strings.Repeat("x", 1024)), word), word, "is damaged or not an identity"},
		"a member too many": {pack(func(f map[string][]byte, n *[]string) {
			f["../../etc/passwd"] = []byte("x")
			*n = append(*n, "../../etc/passwd")
		}), word, `it contains the unexpected file "../../etc/passwd"`},
		"a member twice":          {pack(func(_ map[string][]byte, n *[]string) { *n = append(*n, "ca.key") }), word, `it contains the unexpected file "ca.key"`},
		"a member too few":        {pack(func(_ map[string][]byte, n *[]string) { *n = (*n)[:len(*n)-1] }), word, "it lacks sa.pub"},
		"a member that is huge":   {pack(func(f map[string][]byte, _ *[]string) { f["sa.pub"] = make([]byte, mostMember+1) }), word, `it contains the unexpected file "sa.pub"`},
		"the ticket of another":   {pack(func(f map[string][]byte, _ *[]string) { f[ticketEntry] = other.Text }), word, "its ticket has another CA"},
		"the CA of another":       {pack(func(f map[string][]byte, _ *[]string) { f["ca.crt"] = other.Files["ca.crt"] }), word, "ca.crt is not a CA certificate for its key"},
		"the public key of anoth": {pack(func(f map[string][]byte, _ *[]string) { f["sa.pub"] = other.Files["sa.pub"] }), word, "sa.pub is not the public key"},
		"a key that is none":      {pack(func(f map[string][]byte, _ *[]string) { f["etcd/ca.key"] = []byte("x") }), word, "etcd/ca.key: not a private key"},
	}
	for i := 0; i < len(sealed); i += max(1, len(sealed)/40) { // every region of the file
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1 << 3
		cases[fmt.Sprintf("a bit of byte %d", i)] = struct {
			sealed []byte
			word   string
			says   string
		}{flipped, word, "stick/identity.age"}
	}
	for what, c := range cases {
		_, err := Open("stick/identity.age", c.sealed, []byte(c.word))
		var coder interface{ ExitCode() int }
		if err == nil || !errors.As(err, &coder) || coder.ExitCode() != 4 || !strings.Contains(err.Error(), c.says) || hint.Of(err) == "" {
			t.Errorf("%s: %v (%s), want %s", what, err, hint.Of(err), c.says)
			continue
		}
		if text := err.Error() + hint.Of(err); strings.Contains(text, id.Ticket.Token) || strings.Contains(text, word) {
			t.Errorf("%s: a secret stands in %s", what, text)
		}
	}
}

func tarOf(t *testing.T, files map[string][]byte, names []string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		if err := w.WriteHeader(&tar.Header{Name: n, Mode: 0o600, Size: int64(len(files[n]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encrypt(t *testing.T, text []byte, passphrase string) []byte {
	t.Helper()
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(cheap)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWrite: modes, no key in the clear, and nothing of another cluster lost.
func TestWrite(t *testing.T) {
	t.Parallel()
	id, dir := made(t, time.Now()), t.TempDir()
	sealed, err := id.Seal([]byte(word), cheap)
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(dir, ClusterName)
	if err := os.WriteFile(from, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := hosts()
	if err := Complete(c); err != nil {
		t.Fatal(err)
	}
	if _, err := id.Write(Place{Dir: dir, From: "elsewhere.yaml"}, c, sealed); err == nil || !strings.Contains(err.Error(), "cluster.yaml already exists") {
		t.Errorf("over another's: %v", err)
	}
	paths, err := id.Write(Place{Dir: dir, From: from}, c, sealed)
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	if _, err := id.Write(Place{Dir: dir, From: from}, c, sealed); err == nil || !strings.Contains(hint.Of(err), "--replace") {
		t.Errorf("again: %v", err)
	}
	if _, err := id.Write(Place{Dir: dir, From: from, Replace: true}, c, sealed); err != nil {
		t.Errorf("replaced: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left: %v, %v", entries, err)
	}
	for name, mode := range map[string]os.FileMode{ClusterName: 0o644, TicketName: 0o600, FileName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Contains(text, []byte("PRIVATE KEY")) || name != TicketName && bytes.Contains(text, []byte(id.Ticket.Token)) {
			t.Errorf("%s holds a secret, %v", name, err)
		}
	}
	if again, err := manifest.ReadCluster(media.Named(from)); err != nil || again.Endpoint != "192.168.4.11:6443" || again.Hosts[1].MAC == "" {
		t.Errorf("cluster.yaml: %+v, %v", again, err)
	}
	if got, err := Read(media.At(dir).File(FileName), []byte(word)); err != nil || got.Ticket.Token != id.Ticket.Token {
		t.Errorf("read: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	t.Parallel()
	if CheckPassphrase([]byte("short")) == nil || CheckPassphrase([]byte(word)) != nil {
		t.Error("what is long enough?")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if id, err := unpack(bytes.NewReader(text)); err == nil && (len(id.Files) != len(Names()) || id.check() == nil) {
			t.Error("a stranger made an identity")
		}
	})
}
