package install

import (
	"context"
	"os"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/step"
)

// preflight runs every check of the host and of the steps: an impossible step fails
// here, together with everything else, and not after half of the installation. plan is
// the result of the steps' checks.
func (r *run) preflight(ctx context.Context, skip []string) (checks *preflight.Result, plan []step.Event, err error) {
	if err := preflight.CheckSkip(skip); err != nil {
		return nil, nil, err
	}
	ours, err := kubeadm.Begun(r.host)
	if err != nil && !r.unchecked {
		return nil, nil, err
	}
	t := &r.target
	o := preflight.Options{
		Role: t.Role, Facts: r.facts, Networks: r.caller.Networks, Runtimes: r.caller.Runtimes, Manifest: r.bundle.manifest, Lock: r.bundle.lock, Software: r.bundle.software, Cluster: t.Cluster, Ticket: t.Ticket.Join, TicketErr: t.Ticket.Err, Others: r.reports.Others(),
		Hostname: r.inputs.Request.Hostname, Advertise: t.Advertise, Interface: t.Named,
		EUID: r.caller.EUID, Command: r.caller.Command, Environ: os.Environ(), Skip: skip, Ours: ours,
	}
	if r.saved == nil { // an earlier run checked the space, and used part of it
		o.Needs = preflight.NeedsOf(r.bundle.archive.Index(), r.caller.Runtimes.About(r.bundle.manifest.Runtime), t.Role)
	}
	checks = preflight.Run(ctx, r.host, o)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	steps, err := r.assembly().steps()
	if err != nil {
		checks.Checks = append(checks.Checks, preflight.Check{Name: "steps", State: preflight.Failed, Message: err.Error(), Hint: hint.Of(err), Step: true})
		return checks, nil, nil
	}
	if plan, err = step.Plan(ctx, r.host, steps); err != nil {
		return nil, nil, err
	}
	checks.Checks = append(checks.Checks, obstacles(checks, plan, r.caller.EUID == 0)...)
	return checks, plan, nil
}

// obstacles returns failed checks for impossible steps that r does not report already,
// and for steps that could not be checked. For a user other than root the latter are
// warnings, since root can read more.
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

// blocked is a step that a known cause prevents. done is set if the cause does not
// affect a step that an earlier run has done.
type blocked struct {
	step.Step
	state step.State // Unknown or Impossible
	err   error
	done  bool // the step may already be done
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

// addressed makes a step that needs this host's address Unknown without one, with the
// reason why there is none.
func (a *assembly) addressed(st step.Step) step.Step {
	if a.target.Address.IsValid() {
		return st
	}
	return blocked{Step: st, state: step.Unknown, err: a.target.AddressErr}
}

// entering makes a step that adds the host to a cluster impossible without a valid
// ticket.
func (a *assembly) entering(st step.Step) step.Step {
	if err := a.target.Ticket.Err; err != nil {
		return blocked{Step: st, state: step.Impossible, err: err, done: a.target.Address.IsValid()}
	}
	return a.addressed(st)
}
