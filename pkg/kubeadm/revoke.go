package kubeadm

import (
	"context"
	"slices"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// Revoke is the step that ends the tickets of this cluster: the one this host
// keeps, and the one on the stick. Nodes that have joined stay.
func Revoke(o TicketOptions) step.Step { return revokeStep{ticketStep{o: o}} }

type revokeStep struct{ ticket ticketStep }

func (revokeStep) Name() string { return "revoke" }

// tickets lists the files and the tickets in them that are this cluster's.
func (s revokeStep) tickets(h *host.Host) (files []string, list []*manifest.Ticket, err error) {
	hash, err := caHashOf(h)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range []string{TicketFile, s.ticket.o.Stick} {
		if file == "" {
			continue
		}
		text, err := h.Text(file)
		if err != nil {
			return nil, nil, err
		}
		t, err := manifest.ParseTicket(file, []byte(text))
		if text == "" || err != nil || !slices.Contains(t.CACertHashes, hash) {
			continue
		}
		files, list = append(files, file), append(list, t)
	}
	return files, list, nil
}

func (s revokeStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	files, list, err := s.tickets(h)
	if err != nil {
		return st, err
	}
	for _, f := range files {
		if f != s.ticket.o.Stick || s.ticket.writable(h) == nil {
			st.Todo("%s is removed", f)
		} else {
			st.Warn("%s cannot be removed; it is worth nothing any more", f)
		}
	}
	for _, t := range list {
		life, err := tokenLife(ctx, h, t.Token, time.Now())
		if err != nil {
			return st, err
		}
		if life > 0 {
			st.Todo("token %s lets nobody join any more", publicPart(t.Token))
		}
	}
	return st, nil
}

func (s revokeStep) Apply(ctx context.Context, h *host.Host) error {
	files, list, err := s.tickets(h)
	if err != nil {
		return err
	}
	for _, t := range list {
		if err := deleteToken(ctx, h, t.Token); err != nil {
			return err
		}
	}
	for _, f := range files {
		if f == s.ticket.o.Stick && s.ticket.writable(h) != nil {
			continue
		}
		if err := drop(h, f); err != nil {
			return err
		}
	}
	// Or the next run would make a new one.
	m, err := readMark(h)
	if err != nil || m == nil || m.Revoked {
		return err
	}
	m.Revoked = true
	return m.write(h)
}
