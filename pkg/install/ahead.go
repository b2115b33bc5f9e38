package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/step"
)

// preflight makes every check of the host, and those of the steps: a step that is
// impossible now fails here, with everything else, and not when half of the host
// has been changed. plan is what the steps' checks gave.
func (s *site) preflight(ctx context.Context) (r *preflight.Result, plan []step.Event, err error) {
	if err := preflight.CheckSkip(s.Skip); err != nil {
		return nil, nil, err
	}
	ours, err := kubeadm.Begun(s.host)
	if err != nil && !s.unseen {
		return nil, nil, err
	}
	o := preflight.Options{
		Role: s.role, Facts: s.facts, Manifest: s.manifest, Lock: s.lock, Software: s.software, Cluster: s.cluster, Ticket: s.ticket, TicketErr: s.ticketErr, Others: s.reports.Others(),
		Hostname: s.Hostname, Advertise: s.advertise(), Interface: s.named(),
		EUID: s.EUID, Command: s.Command, Environ: os.Environ(), Skip: s.Skip, Ours: ours,
	}
	if s.saved == nil { // an earlier run found that there is room, and filled it in part
		o.Needs = preflight.NeedsOf(s.archive.Index(), s.manifest, s.role)
	}
	r = preflight.Run(ctx, s.host, o)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	steps, err := s.steps()
	if err != nil {
		r.Checks = append(r.Checks, preflight.Check{Name: "steps", State: preflight.Failed, Message: err.Error(), Hint: hint.Of(err), Step: true})
		return r, nil, nil
	}
	if plan, err = step.Plan(ctx, s.host, steps); err != nil {
		return nil, nil, err
	}
	r.Checks = append(r.Checks, obstacles(r, plan, s.EUID == 0)...)
	return r, plan, nil
}

// obstacles are the steps that the installation would stop at, as far as that
// can be told now and r does not say it already. A step that could not even be
// looked at is one, too; a user who is not root is told so as a warning, since
// root may see more.
func obstacles(r *preflight.Result, plan []step.Event, root bool) []preflight.Check {
	said := map[string]bool{}
	names := map[string]bool{}
	for _, c := range r.Of(preflight.Failed) {
		said[c.Message], names[c.Name] = true, true
	}
	var list []preflight.Check
	for _, e := range plan {
		c := preflight.Check{Name: e.Step, State: preflight.Failed, Message: strings.Join(e.Status.What, "; "), Hint: e.Status.Hint, Step: true}
		switch {
		case said[c.Message], e.Step == "join" && names["ticket"]:
			continue
		case e.Status.State == step.Unknown && !root:
			c.State = preflight.Warning
		case e.Status.State != step.Impossible && e.Status.State != step.Unknown:
			continue
		}
		list = append(list, c)
	}
	return list
}

// advertise is the address as a flag, or that of an earlier run.
func (s *site) advertise() string {
	if s.Address == "" && s.saved != nil {
		return s.saved.Address
	}
	return s.Address
}

// blocked is a step of which a cause is known why it cannot be done. Where the
// cause says nothing of a step that was done before, done is set.
type blocked struct {
	step.Step
	state step.State // Unknown or Impossible
	err   error
	done  bool // the step may be done all the same
}

// Check is step.Step's.
func (b blocked) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	if b.done {
		st, err := b.Step.Check(ctx, h)
		if err == nil && (st.State == step.Done || st.State == "") {
			return st, nil
		}
	}
	return step.Status{State: b.state, What: []string{b.err.Error()}, Hint: hint.Of(b.err)}, nil
}

// Apply is step.Step's.
func (b blocked) Apply(context.Context, *host.Host) error { return b.err }

// addressed is a step that needs this host's address: without one nothing of it
// can be told, but why there is none.
func (s *site) addressed(st step.Step) step.Step {
	if s.address.IsValid() {
		return st
	}
	return blocked{Step: st, state: step.Unknown, err: s.noAddress()}
}

func (s *site) noAddress() error {
	if s.addressErr != nil {
		return s.addressErr
	}
	return errors.New("the address of this host within the cluster is not known")
}

// entering is a step that makes the host part of a cluster.
func (s *site) entering(st step.Step) step.Step {
	if s.ticketErr != nil {
		return blocked{Step: st, state: step.Impossible, err: s.ticketErr, done: s.address.IsValid()}
	}
	return s.addressed(st)
}

// addressText is the address, "" where there is none.
func (s *site) addressText() string {
	if !s.address.IsValid() {
		return ""
	}
	return s.address.String()
}

// errNoTicket is a host that is to join, and is told no cluster.
var errNoTicket = errors.New("there is no ticket that says which cluster to join")

// missingTicket says that there is none at path.
func missingTicket(path string) error {
	return hint.With(fmt.Errorf("%w: %s is missing", errNoTicket, path),
		"on the master, with the stick: ./install ticket; then here: --ticket FILE, or --master HOST --token TOKEN --ca-cert-hash HASH, which ./install ticket --show prints there")
}

// needsTicket says whether this host has yet to join by a ticket.
func (s *site) needsTicket() bool {
	switch {
	case s.saved == nil:
		return s.role == manifest.Node
	case s.saved.Finished:
		return false
	}
	return s.role == manifest.Node || s.saved.Joined != ""
}

// unusable keeps why a ticket that was found cannot be used, where it is needed or
// could be: a host that has its part in a cluster no longer asks for one.
func (s *site) unusable(err error) {
	finished := s.saved != nil && s.saved.Finished
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.role != manifest.Node && (finished || !s.byIdentity()):
		// A master writes its ticket where --ticket says.
	case finished, s.saved != nil && s.saved.Joined == "" && s.role != manifest.Node && !s.byIdentity():
		s.warn("%v; it is not used", err)
	default:
		if hint.Of(err) == "" {
			err = hint.With(err, "on the master, with the stick: ./install ticket writes it again")
		}
		s.ticketErr = err
	}
}
