package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// Revocation is what Revoke revoked, and what it kept or could not check.
type Revocation struct {
	Tokens []string `json:"tokens,omitempty"` // public parts of the tokens that were deleted in the cluster
	Keys   bool     `json:"keys,omitempty"`   // the control plane's keys were removed from the cluster
	Files  []string `json:"files,omitempty"`  // removed tickets
	Left   []string `json:"left,omitempty"`   // a sentence for each thing that is kept
}

// Nothing reports whether there was nothing to revoke.
func (r *Revocation) Nothing() bool { return len(r.Tokens) == 0 && !r.Keys && len(r.Files) == 0 }

// Revoke is the step that revokes every ticket of this cluster, whichever master made
// it and wherever it is: the tokens are deleted in the cluster itself, then the
// copies that this host can reach. It is done only when the cluster, asked again, has
// none of them. What was revoked is added to ended, unless that is nil. Nodes that
// have joined stay.
func Revoke(o TicketOptions, ended *Revocation) step.Step {
	return revokeStep{ticketStep{o: o}, ended}
}

type revokeStep struct {
	ticket ticketStep
	ended  *Revocation
}

func (revokeStep) Name() string { return "revoke" }

// copies are the tickets that a host can reach.
type copies struct {
	files []string // that hold a ticket of this cluster
	ids   []string // public parts of their tokens
	left  []string // sentences on what is not such a ticket, or was not checked
}

func (s revokeStep) copies(h *host.Host) (c copies, err error) {
	hash, err := caHashOf(h)
	if err != nil {
		return c, err
	}
	stick := s.ticket.o.Stick
	if stick == "" {
		c.left = append(c.left, "the stick with this host's archive is not here and was not checked: a ticket on it is useless without its token")
	}
	for _, file := range []string{TicketFile, stick} {
		if file == "" {
			continue
		}
		text, err := s.text(h, file)
		if err != nil {
			c.left = append(c.left, fmt.Sprintf("%s cannot be read and is kept: %v", file, err))
			continue
		}
		if text == "" {
			continue
		}
		t, err := manifest.ParseTicket(file, []byte(text))
		switch {
		case err != nil:
			c.left = append(c.left, file+" is not a readable ticket and is kept")
		case !slices.Contains(t.CACertHashes, hash):
			c.left = append(c.left, fmt.Sprintf("%s is the ticket of another cluster, at %s, and is kept", file, t.Endpoint))
		default:
			c.files, c.ids = append(c.files, file), append(c.ids, publicPart(t.Token))
		}
	}
	return c, nil
}

// text reads a ticket on this host or on the stick, "" if there is none.
func (s revokeStep) text(h *host.Host, file string) (string, error) {
	if file == s.ticket.o.Stick {
		return readStick(h, file)
	}
	return h.Text(file)
}

func (s revokeStep) remove(h *host.Host, file string) error {
	if file == s.ticket.o.Stick {
		return removeStick(h, file)
	}
	return h.State().Remove(file)
}

// removable reports whether the ticket in file can be removed.
func (s revokeStep) removable(h *host.Host, file string) bool {
	return file != s.ticket.o.Stick || s.ticket.writable(h) == nil
}

// tokens lists the tokens of tickets in the cluster; ids are further ones that
// count as such.
func (s revokeStep) tokens(ctx context.Context, h *host.Host, ids []string) (ours, others []token, err error) {
	all, err := listTokens(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range all {
		if strings.HasPrefix(t.description, ownDescription) || slices.Contains(ids, t.id) {
			ours = append(ours, t)
		} else {
			others = append(others, t)
		}
	}
	return ours, others, nil
}

func (s revokeStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	c, err := s.copies(h)
	if err != nil {
		return st, err
	}
	ours, _, err := s.tokens(ctx, h, c.ids)
	if err != nil {
		return st, unrevoked(err)
	}
	offered, err := certificatesOffered(ctx, h)
	if err != nil {
		return st, unrevoked(err)
	}
	for _, t := range ours {
		st.Todo("delete token %s", t.id)
	}
	if offered {
		st.Todo("withdraw the control plane's keys from the cluster")
	}
	for _, f := range c.files {
		if s.removable(h, f) {
			st.Todo("remove %s", f)
		}
	}
	m, err := readRecord(h)
	if err == nil && m != nil && !m.Revoked {
		st.Todo("record that a new ticket is written only on request")
	}
	return st, err
}

// unrevoked is an error after which every ticket is unchanged.
func unrevoked(err error) error {
	err = fmt.Errorf("cannot revoke the tickets: cannot ask the cluster for them: %w", err)
	return hint.With(err, "systemctl start kubelet, then the same command again; or ./install ticket --revoke on another master")
}

func (s revokeStep) Apply(ctx context.Context, h *host.Host) error {
	c, err := s.copies(h)
	if err != nil {
		return err
	}
	ours, others, err := s.tokens(ctx, h, c.ids)
	if err != nil {
		return unrevoked(err)
	}
	done := s.ended
	if done == nil {
		done = &Revocation{}
	}
	for _, t := range ours {
		if err := s.ticket.o.deleteToken(ctx, h, t.id); err != nil {
			return err
		}
		done.Tokens = append(done.Tokens, t.id)
	}
	withdrawn, err := withdrawCertificates(ctx, h)
	if err != nil {
		return err
	}
	done.Keys = done.Keys || withdrawn
	for _, f := range c.files {
		if !s.removable(h, f) {
			done.Left = append(done.Left, f+" cannot be removed; it is no longer valid")
			continue
		}
		if err := s.remove(h, f); err != nil {
			return err
		}
		done.Files = append(done.Files, f)
	}
	done.Left = append(done.Left, c.left...)
	for _, t := range others {
		if t.joins(time.Now()) {
			done.Left = append(done.Left, t.sentence())
		}
	}
	// Or the next run would make a new one.
	m, err := readRecord(h)
	if err != nil || m == nil || m.Revoked {
		return err
	}
	m.Revoked = true
	return m.write(h)
}

// withdrawCertificates removes the control plane's keys, which a certificate key
// decrypts, from the cluster; without any it changes nothing.
func withdrawCertificates(ctx context.Context, h *host.Host) (bool, error) {
	offered, err := certificatesOffered(ctx, h)
	if err != nil || !offered {
		return false, err
	}
	argv := through(AdminConf).Command(nil, "delete", "secret", "kubeadm-certs", "--namespace=kube-system", "--ignore-not-found")
	if err := h.Change(ctx, argv, nil); err != nil {
		return false, fmt.Errorf("cannot withdraw the control plane's keys: %w", err)
	}
	return true, nil
}

// Retire is the step that revokes the tickets of an identity once every host of
// names has joined. Until then it names the missing hosts.
func Retire(o TicketOptions, names []string) step.Step {
	return retireStep{revokeStep{ticket: ticketStep{o: o}}, names}
}

type retireStep struct {
	revoke revokeStep
	names  []string
}

func (retireStep) Name() string { return "retire" }

// absent lists the hosts that have not joined, and reports whether a ticket is valid
// in the cluster, whichever master made it.
func (s retireStep) absent(ctx context.Context, h *host.Host) (list []string, alive bool, err error) {
	c, err := s.revoke.copies(h)
	if err != nil {
		return nil, false, err
	}
	ours, _, err := s.revoke.tokens(ctx, h, c.ids)
	if err != nil {
		return nil, false, err
	}
	now := time.Now()
	if !slices.ContainsFunc(ours, func(t token) bool { return t.joins(now) }) {
		return nil, false, nil
	}
	joined, err := otherNodes(ctx, h, AdminConf, "")
	if err != nil {
		return nil, false, err
	}
	for _, n := range s.names {
		if !slices.Contains(joined, n) {
			list = append(list, n)
		}
	}
	return list, true, nil
}

func (s retireStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	if ok, err := h.Exists(AdminConf); err != nil || !ok {
		return st, err
	}
	list, alive, err := s.absent(ctx, h)
	switch {
	case errors.Is(err, kubectl.ErrUnreached):
		st.Warn("the API server does not answer, so it is unknown whether a ticket still lets hosts join")
		return st, nil // step ready says so
	case err != nil || !alive:
		return st, err
	case len(list) > 0:
		st.Warn("the ticket lets hosts join until it expires; not joined yet: %s", strings.Join(list, ", "))
	default:
		st.Todo("revoke the ticket: every host of the cluster has joined")
	}
	return st, nil
}

func (s retireStep) Apply(ctx context.Context, h *host.Host) error { return s.revoke.Apply(ctx, h) }
