package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/media"
	"kubecrate/pkg/table"
)

// Ticketed is the result of Ticket. Flags contains the token, if requested.
type Ticketed struct {
	Files   []string            `json:"files,omitempty"`
	Expires string              `json:"expires,omitempty"`
	Flags   string              `json:"flags,omitempty"`
	Revoked *kubeadm.Revocation `json:"revoked,omitempty"`
}

// Ticket creates a ticket on a master, shows the existing one, or revokes all.
func Ticket(ctx context.Context, h *host.Host, q TicketRequest) (made *Ticketed, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	release, err := hostlock.Take(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	r, err := installed(ctx, h, q.Media, q.Caller, q.Ticket, terms{ticketTTL: q.TTL})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if r.target.Role == manifest.Node {
		return nil, hint.With(errors.New("this host is a node: only a master creates tickets"), "on the master: ./install ticket")
	}
	if q.Show {
		return showTicket(h)
	}
	runtime, err := r.caller.Runtimes.For(r.bundle.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	a := r.assembly()
	k, err := a.kubeadm(runtime)
	if err != nil {
		return nil, err
	}
	o := a.ticketOptions(k)
	o.ControlPlane = q.ControlPlane
	if q.Revoke {
		return r.revoke(ctx, o)
	}
	return r.renew(ctx, o)
}

// renew creates a ticket.
func (r *run) renew(ctx context.Context, o kubeadm.TicketOptions) (*Ticketed, error) {
	if _, err := r.perform(ctx, kubeadm.Renew(o)); err != nil {
		return nil, err
	}
	t, err := manifest.ReadTicket(media.Named(r.host.Path(kubeadm.TicketFile)))
	if err != nil {
		return nil, err
	}
	made := &Ticketed{Files: []string{kubeadm.TicketFile}, Expires: t.Expires}
	if o.Stick != "" && sameText(r.host, kubeadm.TicketFile, o.Stick) {
		made.Files = append(made.Files, o.Stick)
	}
	return made, nil
}

// sameText reports whether a file on the host and one on the stick exist and are equal.
func sameText(h *host.Host, own, stick string) bool {
	one, err := h.Text(own)
	other, oerr := media.Named(h.Path(stick)).Read(manifest.MaxSize)
	return err == nil && oerr == nil && one != "" && one == string(other)
}

// revoke revokes the tickets of the cluster. It is an error if there was none: the
// operator expects one to be valid.
func (r *run) revoke(ctx context.Context, o kubeadm.TicketOptions) (*Ticketed, error) {
	var ended kubeadm.Revocation
	if _, err := r.perform(ctx, kubeadm.Revoke(o, &ended)); err != nil {
		return nil, err
	}
	if ended.Nothing() {
		err := fmt.Errorf("nothing to revoke: the cluster at %s has no token of a ticket", r.target.Endpoint)
		return &Ticketed{Revoked: &ended}, hint.With(err, "kubeadm token list shows every token of the cluster; kubectl get nodes shows which hosts have joined")
	}
	return &Ticketed{Revoked: &ended}, nil
}

// showTicket returns the ticket of this host as flags.
func showTicket(h *host.Host) (*Ticketed, error) {
	t, err := manifest.ReadTicket(media.Named(h.Path(kubeadm.TicketFile)))
	if err != nil {
		return nil, hint.With(fmt.Errorf("there is no ticket on this host: %w", err), "./install ticket creates one")
	}
	flags := fmt.Sprintf("--master %s --token %s --ca-cert-hash %s", t.Endpoint, t.Token, strings.Join(t.CACertHashes, ","))
	return &Ticketed{Expires: t.Expires, Flags: flags}, nil
}

// WriteText prints the result as text.
func (r *Ticketed) WriteText(w io.Writer) error {
	out := table.New(w)
	switch {
	case r.Revoked != nil:
		writeRevocation(out, r.Revoked)
	case r.Flags != "":
		out.Line("./install --role node %s", r.Flags)
		out.Line("valid until %s for anyone who knows it", r.Expires)
	default:
		for _, f := range r.Files {
			out.Line("ticket written to %s", f)
		}
		out.Line("valid until %s for anyone who has it", r.Expires)
	}
	return out.Flush()
}

func writeRevocation(out *table.Printer, r *kubeadm.Revocation) {
	if len(r.Tokens) > 0 {
		out.Line("revoked: %s %s", plural(len(r.Tokens), "token"), strings.Join(r.Tokens, ", "))
	}
	if r.Keys {
		out.Line("revoked: the control plane's keys for further masters")
	}
	for _, f := range r.Files {
		out.Line("removed: %s", f)
	}
	for _, l := range r.Left {
		out.Line("note: %s", l)
	}
	out.Line("the cluster no longer has a token of a ticket; joined nodes stay")
}
