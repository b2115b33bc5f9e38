package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/media"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/step"
)

// errNotInstalled is a host on which Run never ran.
var errNotInstalled = errors.New("nothing was installed on this host")

// installHint makes a host one on which it did.
const installHint = "./install --role master, or ./install --role node"

// installed opens the site of a host that was installed, with the archive where
// it is at hand.
func installed(ctx context.Context, h *host.Host, o Settings) (*site, error) {
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	if saved == nil {
		return nil, hint.With(errNotInstalled, installHint)
	}
	return reopen(ctx, h, o, saved)
}

// run runs steps of their own, beside those of an installation.
func (s *site) run(ctx context.Context, steps ...step.Step) (changed []string, err error) {
	j, err := openJournal(s.host, s.saved)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	t := newTeller(s.Report, steps, time.Now)
	err = step.Run(ctx, s.host, j, kinds(s.Report), steps, t.event)
	return t.changed, err
}

// TicketOptions say what Ticket does.
type TicketOptions struct {
	TTL          time.Duration
	ControlPlane bool // further masters may join with it
	Show         bool // give what is to be typed instead of a new ticket
	Revoke       bool
}

// Ticketed is what Ticket did. Flags holds the token, where it was asked for.
type Ticketed struct {
	Files   []string            `json:"files,omitempty"`
	Expires string              `json:"expires,omitempty"`
	Flags   string              `json:"flags,omitempty"`
	Revoked *kubeadm.Revocation `json:"revoked,omitempty"`
}

// Ticket makes a new ticket on a master, shows the one that is there, or revokes it.
func Ticket(ctx context.Context, h *host.Host, o Settings, t TicketOptions) (r *Ticketed, err error) {
	defer func() { err = full(h, err) }()
	release, err := lock(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := installed(ctx, h, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.role == manifest.Node {
		return nil, hint.With(errors.New("this host is a node: tickets are made on a master"), "on the master: ./install ticket")
	}
	if t.Show {
		return showTicket(h)
	}
	runtime, err := cri.For(s.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	k, err := s.kubeadm(runtime)
	if err != nil {
		return nil, err
	}
	to := s.ticketOptions(k)
	to.TTL, to.ControlPlane = t.TTL, t.ControlPlane
	if t.Revoke {
		return s.revoke(ctx, to)
	}
	if _, err := s.run(ctx, kubeadm.Renew(to)); err != nil {
		return nil, err
	}
	made, err := manifest.ReadTicket(media.Named(h.Path(kubeadm.TicketFile)))
	if err != nil {
		return nil, err
	}
	r = &Ticketed{Files: []string{kubeadm.TicketFile}, Expires: made.Expires}
	if to.Stick != "" && sameText(h, kubeadm.TicketFile, to.Stick) {
		r.Files = append(r.Files, to.Stick)
	}
	return r, nil
}

// sameText says that a file of the host and one on the stick are there and hold
// the same.
func sameText(h *host.Host, own, stick string) bool {
	one, err := h.Text(own)
	other, oerr := media.Named(h.Path(stick)).Read(manifest.MaxSize)
	return err == nil && oerr == nil && one != "" && one == string(other)
}

// revoke ends the tickets of the cluster. Where there was none the operator is
// told so: whoever asks for it takes one to be alive.
func (s *site) revoke(ctx context.Context, o kubeadm.TicketOptions) (*Ticketed, error) {
	var ended kubeadm.Revocation
	if _, err := s.run(ctx, kubeadm.Revoke(o, &ended)); err != nil {
		return nil, err
	}
	if ended.Nothing() {
		err := fmt.Errorf("there was nothing to revoke: the cluster at %s holds no token of a ticket", s.endpoint())
		return &Ticketed{Revoked: &ended}, hint.With(err, "kubeadm token list shows every token of the cluster; kubectl get nodes shows who has joined")
	}
	return &Ticketed{Revoked: &ended}, nil
}

// showTicket gives the ticket of this host as flags.
func showTicket(h *host.Host) (*Ticketed, error) {
	t, err := manifest.ReadTicket(media.Named(h.Path(kubeadm.TicketFile)))
	if err != nil {
		return nil, hint.With(fmt.Errorf("there is no ticket on this host: %w", err), "./install ticket makes one")
	}
	flags := fmt.Sprintf("--master %s --token %s --ca-cert-hash %s", t.Endpoint, t.Token, strings.Join(t.CACertHashes, ","))
	return &Ticketed{Expires: t.Expires, Flags: flags}, nil
}

// WriteText prints what was done for people.
func (r *Ticketed) WriteText(w io.Writer) error {
	out := lines.New(w)
	switch {
	case r.Revoked != nil:
		writeRevocation(out, r.Revoked)
	case r.Flags != "":
		out.Line("./install --role node %s", r.Flags)
		out.Line("good until %s, for everybody who knows it", r.Expires)
	default:
		for _, f := range r.Files {
			out.Line("ticket written to %s", f)
		}
		out.Line("good until %s, for everybody who has it", r.Expires)
	}
	return out.Flush()
}

func writeRevocation(out *lines.Printer, r *kubeadm.Revocation) {
	if len(r.Tokens) > 0 {
		out.Line("ended in the cluster: %s %s", plural(len(r.Tokens), "token"), strings.Join(r.Tokens, ", "))
	}
	if r.Keys {
		out.Line("ended in the cluster: the control plane's keys for further masters")
	}
	for _, f := range r.Files {
		out.Line("removed: %s", f)
	}
	for _, l := range r.Left {
		out.Line("note: %s", l)
	}
	out.Line("the cluster holds no token of a ticket any more; nodes that have joined stay")
}

// Loaded is what Load did.
type Loaded struct {
	Images  int  `json:"images"` // that the role needs
	Changed bool `json:"changed"`
}

// Load brings the images of the role back that are missing.
func Load(ctx context.Context, h *host.Host, o Settings) (r *Loaded, err error) {
	defer func() { err = full(h, err) }()
	release, err := lock(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := open(ctx, h, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	runtime, err := cri.For(s.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	images := s.imageStep(runtime)
	if done, err := loadable(ctx, h, images, runtime.Name()); err != nil || done {
		return &Loaded{Images: len(s.images())}, err
	}
	changed, err := s.run(ctx, images)
	if err != nil {
		return nil, errors.Join(err, s.sweep())
	}
	return &Loaded{Images: len(s.images()), Changed: len(changed) > 0}, nil
}

// loadable says whether the images are there already, before anything is kept
// of a change. The error is a runtime that does not answer.
func loadable(ctx context.Context, h *host.Host, images step.Step, runtime string) (done bool, err error) {
	plan, err := step.Plan(ctx, h, []step.Step{images})
	if err != nil {
		return false, err
	}
	st := plan[0].Status
	switch st.State {
	case step.Done, step.ToDo:
		return st.State == step.Done, nil
	case step.Later:
		return false, hint.With(fmt.Errorf("cannot load the images: %s does not answer", runtime), "systemctl start %s; on a host where it is not installed, ./install --role node installs it and loads them", runtime)
	case step.Impossible, step.Unknown:
	}
	return false, hint.With(fmt.Errorf("cannot load the images: %s", strings.Join(st.What, "; ")), "%s", st.Hint)
}

// sweep leaves nothing on a host on which Run never ran and nothing was loaded.
func (s *site) sweep() error {
	if s.saved != nil || cri.Undoable(s.host) != nil {
		return nil
	}
	changes, err := step.Changes(s.host)
	if err != nil || len(changes) > 0 {
		return err
	}
	return forget(s.host)
}

// WriteText prints what was done for people.
func (r *Loaded) WriteText(w io.Writer) error {
	out := lines.New(w)
	if r.Changed {
		out.Line("all %d images are there", r.Images)
	} else {
		out.Line("all %d images were there: nothing had to be changed", r.Images)
	}
	return out.Flush()
}

// Smoke tests the cluster of a host that was installed. The error says what
// failed; the report is there all the same.
func Smoke(ctx context.Context, h *host.Host, o Settings) (r *smoke.Report, err error) {
	s, err := installed(ctx, h, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	expected := s.smokeOptions()
	expected.Nodes = s.members()
	if r, err = smoke.Run(ctx, h, expected, s.Report); err != nil {
		return nil, err
	}
	err = r.Err()
	return r, err
}

// Inventory says what h is, its packages included.
func Inventory(ctx context.Context, h *host.Host) (*facts.Facts, error) {
	return facts.Read(ctx, h, facts.Options{Now: time.Now(), Packages: true})
}
