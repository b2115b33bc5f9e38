package kubeadm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// TicketOptions say which ticket a master writes, and where.
type TicketOptions struct {
	Options
	Stick        string        // path of join.yaml beside the archive, on the host; "" keeps it on the host alone
	MustWrite    bool          // the operator named Stick: failing to write it is an error, not a warning
	TTL          time.Duration // how long it is valid; 0 is DefaultTTL
	ControlPlane bool          // it lets further masters join too, for two hours
	TimeServer   string        // address that serves time to the others, "" for none
	Hosts        []manifest.Host
}

// DefaultTTL is how long a ticket is valid by default.
const DefaultTTL = 24 * time.Hour

// least is how long a ticket must still be valid to be kept.
func (o *TicketOptions) least() time.Duration {
	const part = 4
	return min(time.Hour, o.ttl()/part)
}

func (o *TicketOptions) ttl() time.Duration {
	if o.TTL > 0 {
		return o.TTL
	}
	return DefaultTTL
}

// Ticket is the step that leaves a ticket for the other hosts: on this host, for
// root alone, and on the stick. A ticket that is still good is kept.
func Ticket(o TicketOptions) step.Step { return &ticketStep{o: o} }

// Renew is Ticket, but always makes a new one and revokes the one before.
func Renew(o TicketOptions) step.Step { return &ticketStep{o: o, renew: true} }

const ticketName = "ticket"

type ticketStep struct {
	o     TicketOptions
	renew bool // until it is done
}

func (*ticketStep) Name() string { return ticketName }

// view is the state of the tickets. kept is the one of this host, nil without a
// usable one.
type view struct {
	kept    *manifest.Ticket
	text    string // of kept
	why     string // why there is none, or it is not usable
	ended   bool   // another master revoked it early: no new one is wanted
	stick   string // content of the file on the stick
	given   string // the text to take over, of the ticket that came before the cluster
	foreign string // the cluster of a ticket on the stick that is another's
	unread  error  // why the file on the stick cannot be read
}

func (s *ticketStep) look(ctx context.Context, h *host.Host) (v view, err error) {
	hash, err := caHashOf(h)
	if err != nil {
		return v, err
	}
	if s.o.Stick != "" {
		// A file that cannot be read is replaced, like the ticket of another cluster.
		v.stick, v.unread = readStick(h, s.o.Stick)
	}
	if other, err := manifest.ParseTicket(s.o.Stick, []byte(v.stick)); v.stick != "" && err == nil && !slices.Contains(other.CACertHashes, hash) {
		v.foreign = other.Cluster + " at " + other.Endpoint
	}
	if v.text, err = h.Text(TicketFile); err != nil {
		return v, err
	}
	if v.text == "" && s.o.Given != nil && !s.renew {
		err := s.adopt(ctx, h, &v)
		return v, err
	}
	if v.kept, v.why, err = s.serves(ctx, h, v.text, hash); err == nil && v.why == whyGone && !v.kept.Expired(time.Now()) {
		m, merr := readRecord(h)
		v.ended, err = m != nil && m.Announcing != publicPart(v.kept.Token), merr
	}
	return v, err
}

// whyGone is a ticket whose token the cluster does not hold.
const whyGone = "the current one was revoked or has expired"

// adopt uses the ticket that was made before the cluster as this host's, if it is
// valid for a while.
func (s *ticketStep) adopt(ctx context.Context, h *host.Host, v *view) error {
	life, err := tokenLife(ctx, h, s.o.Given.Token, time.Now())
	if err != nil || life < s.o.least() {
		v.why = "the one made before the cluster has expired or soon will"
		return err
	}
	text, err := s.o.Given.Marshal()
	v.kept, v.given = s.o.Given, string(text)
	return err
}

// revoked reports whether the tickets were revoked on request: no new one is wanted.
func (s *ticketStep) revoked(h *host.Host) (bool, error) {
	m, err := readRecord(h)
	return !s.renew && m != nil && m.Revoked, err
}

// serves reads the ticket of this host, and says why it is not usable.
func (s *ticketStep) serves(ctx context.Context, h *host.Host, text, hash string) (t *manifest.Ticket, why string, err error) {
	if text == "" {
		return nil, "there is none yet", nil
	}
	t, err = manifest.ParseTicket(TicketFile, []byte(text))
	if err != nil {
		return nil, "the current one cannot be read", nil
	}
	if !slices.Contains(t.CACertHashes, hash) {
		return nil, "the current one belongs to another cluster", nil
	}
	if s.renew {
		return t, "a new one was requested", nil
	}
	life, err := tokenLife(ctx, h, t.Token, time.Now())
	switch {
	case err != nil:
		return nil, "", err
	case life == 0:
		return t, whyGone, nil
	case life < s.o.least():
		return t, "the current one expires within the hour", nil
	case s.o.ControlPlane:
		offered, err := certificatesOffered(ctx, h)
		if err != nil || t.CertificateKey == "" || !offered {
			return t, "the current one does not let further masters join", err
		}
	}
	return t, "", nil
}

func (s *ticketStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	left, err := h.Exists(ticketConfigFile)
	if err != nil {
		return st, err
	}
	if left {
		st.Todo("remove %s, which holds a secret", ticketConfigFile)
	}
	if ok, err := h.Exists(AdminConf); err != nil || !ok {
		if s.o.Given != nil && !s.o.Given.Expired(time.Now()) {
			st.Todo("copy the ticket made before the cluster to %s", TicketFile)
			return st, err
		}
		st.Todo("write a ticket for the other hosts to %s", s.paths())
		return st, err
	}
	if gone, err := s.revoked(h); gone || err != nil {
		return st, err
	}
	v, err := s.look(ctx, h)
	if err != nil {
		return st, err
	}
	if v.ended {
		st.Warn("the ticket of this host was revoked in the cluster and lets no host join; ./install ticket makes a new one")
		return st, nil
	}
	if v.given != "" {
		st.Todo("copy the ticket made before the cluster to %s", TicketFile)
		v.text = v.given
	}
	if v.why != "" {
		st.Todo("write a ticket for the other hosts, valid for %s, to %s: %s", s.o.ttl(), s.paths(), v.why)
	} else if s.o.Stick != "" && v.stick != v.text && (s.o.MustWrite || s.writable(h) == nil) {
		st.Todo("copy the ticket to %s", s.o.Stick)
	}
	if v.foreign != "" {
		st.Warn("%s is replaced: it is the ticket of cluster %s", s.o.Stick, v.foreign)
	}
	if v.unread != nil && s.writable(h) == nil {
		st.Warn("%s is replaced: %v", s.o.Stick, v.unread)
	}
	s.warn(h, &st, v)
	return st, nil
}

func (s *ticketStep) paths() string {
	if s.o.Stick == "" {
		return TicketFile
	}
	return TicketFile + " and " + s.o.Stick
}

// warn warns the operator about the stick.
func (s *ticketStep) warn(h *host.Host, st *step.Status, v view) {
	if s.o.Stick == "" {
		return
	}
	if err := s.writable(h); err != nil && (v.why != "" || v.stick != v.text) {
		st.Warn("the ticket cannot be written to %s (%v): %s", s.o.Stick, err, carry)
	} else if err == nil && withoutOwners(h.Path(path.Dir(s.o.Stick))) {
		st.Warn("anyone who holds this stick can join the cluster until the ticket expires, %s after it was made; ./install ticket --revoke ends it", s.o.ttl())
	}
}

// carry is what to do without a writable stick.
const carry = "carry " + TicketFile + " to the other hosts and run there: ./install --role node --ticket FILE"

// writable says why the stick cannot be written, nil if it can.
func (s *ticketStep) writable(h *host.Host) error {
	return unix.Access(h.Path(path.Dir(s.o.Stick)), unix.W_OK)
}

// fatMagic is MSDOS_SUPER_MAGIC of statfs(2), which other systems do not name.
const fatMagic = 0x4d44

// withoutOwners reports whether the file system of dir has no owners and modes, so
// that everyone can read its files: FAT and exFAT (statfs(2)).
func withoutOwners(dir string) bool {
	const exfat = 0x2011bab0
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && (st.Type == fatMagic || st.Type == exfat)
}

func (s *ticketStep) Apply(ctx context.Context, h *host.Host) error {
	if err := h.State().Remove(ticketConfigFile); err != nil {
		return err
	}
	if gone, err := s.revoked(h); gone || err != nil {
		return err
	}
	v, err := s.look(ctx, h)
	if err != nil || v.ended {
		return err
	}
	text := v.text
	if v.given != "" {
		text = v.given
		if err := h.State().Write(TicketFile, []byte(text)); err != nil {
			return err
		}
	}
	if v.why != "" {
		if text, err = s.make(ctx, h); err != nil {
			return err
		}
	}
	if err := s.toStick(h, text, v.stick); err != nil {
		return err
	}
	if v.why != "" && v.kept != nil {
		if err := s.o.deleteToken(ctx, h, publicPart(v.kept.Token)); err != nil {
			return err
		}
	}
	s.renew = false
	return nil
}

// make makes a ticket. It is written before the cluster knows its token: otherwise an
// interruption would leave a valid token without a ticket.
func (s *ticketStep) make(ctx context.Context, h *host.Host) (text string, err error) {
	hash, err := caHashOf(h)
	if err != nil {
		return "", err
	}
	t := &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket,
		Cluster: s.o.Cluster.Name, Endpoint: s.o.Endpoint(),
		Token: NewToken(), CACertHashes: []string{hash},
		Expires:    time.Now().Add(s.o.ttl()).UTC().Format(time.RFC3339),
		Issued:     time.Now().UTC().Format(time.RFC3339),
		Kubernetes: s.o.Version, TimeServer: s.o.TimeServer, Hosts: s.o.Hosts,
		PodCIDR: s.o.Cluster.PodCIDR, ProxyMode: s.o.Cluster.Proxy.Mode,
	}
	// The existing cluster counts, not the request.
	m, err := readRecord(h)
	if err != nil {
		return "", err
	}
	if m != nil {
		t.Cluster, t.Endpoint, t.PodCIDR, t.Kubernetes = m.Cluster, m.Endpoint, cmp.Or(m.Received, m.PodCIDR), m.Version
	}
	if s.o.ControlPlane {
		t.CertificateKey = newCertificateKey()
	}
	if err := t.Validate(); err != nil {
		return "", fmt.Errorf("cannot make a ticket: %w", err)
	}
	content, err := t.Marshal()
	if err != nil {
		return "", err
	}
	// An interruption between here and the announcement is not a revocation.
	if m != nil {
		m.Announcing, m.Revoked = publicPart(t.Token), false
		if err := m.write(h); err != nil {
			return "", err
		}
	}
	if err := h.State().Write(TicketFile, content); err != nil {
		return "", err
	}
	if err := s.announce(ctx, h, t); err != nil {
		return "", err
	}
	if m != nil {
		m.Announcing = ""
		err = m.write(h)
	}
	return string(content), err
}

// announce passes the ticket's secrets to the cluster in a file: arguments are
// visible to every user of the host.
func (s *ticketStep) announce(ctx context.Context, h *host.Host, t *manifest.Ticket) (err error) {
	config, err := tokenConfig(s.o.Options, t.Token, t.CertificateKey, s.o.ttl())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.State().Remove(ticketConfigFile)) }()
	if err := h.State().Write(ticketConfigFile, config); err != nil {
		return err
	}
	if t.CertificateKey != "" {
		argv := host.Command("kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print", "--config", ticketConfigFile)
		if err := h.Change(ctx, argv, nil); err != nil {
			return s.o.explain(h, "offer the control plane's keys", err, t.Token, t.CertificateKey)
		}
	}
	argv := host.Command("kubeadm", "token", "create", "--kubeconfig", AdminConf, "--config", ticketConfigFile)
	return s.o.explain(h, "make a token", h.Change(ctx, argv, nil), t.Token, t.CertificateKey)
}

// toStick copies the ticket beside the archive. The copy is not a file of this host,
// so it is not in the journal: the stick may be elsewhere at a reset.
func (s *ticketStep) toStick(h *host.Host, text, there string) error {
	if s.o.Stick == "" || text == there {
		return nil
	}
	err := s.writable(h)
	if err != nil && !s.o.MustWrite {
		return nil // Check warns, and says what to carry
	}
	if err == nil {
		err = writeStick(h, s.o.Stick, text)
	}
	if err == nil {
		return nil
	}
	return hint.With(fmt.Errorf("cannot write the ticket to %s: %w", s.o.Stick, err), carry)
}
