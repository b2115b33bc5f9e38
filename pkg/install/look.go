package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
)

// errNotInstalled means that Run never ran on this host.
var errNotInstalled = errors.New("nothing was installed on this host")

// installHint is the hint for errNotInstalled.
const installHint = "./install --role master, or ./install --role node"

const ticketName = "join.yaml"

// run is a host, its Target and everything needed to reach it. It must be closed.
type run struct {
	host      *host.Host
	caller    Caller
	bundle    *bundle
	saved     *target.State // of an earlier run, or nil
	unchecked bool          // whether there was one is unknown without root
	facts     *facts.Facts
	sealed    media.File    // the identity on the stick, the zero File without one
	inputs    target.Inputs // of target
	target    target.Target
	keys      *identity.Identity // once opened
	reports   *hostreport.Exchange
	terms     terms
}

// open reads the archive's description and inspects the host.
func open(ctx context.Context, h *host.Host, m Media, c Caller, request target.Request, t terms) (*run, error) {
	b, err := openBundle(h, m, c)
	if err != nil {
		return nil, err
	}
	saved, err := readState(h)
	unchecked := c.EUID != 0 && errors.Is(err, fs.ErrPermission)
	if unchecked {
		c.warn("only root can read the state of an earlier run: this result assumes that there was none")
		err = nil
	}
	if err == nil {
		r := &run{host: h, caller: c, bundle: b, saved: saved, unchecked: unchecked, terms: t}
		if err = r.look(ctx, request); err == nil {
			return r, nil
		}
	}
	return nil, errors.Join(err, b.close())
}

// reopen is open for an installed host: without the archive, it uses the copies of its
// description on the host.
func reopen(ctx context.Context, h *host.Host, m Media, c Caller, saved *target.State, ticket string, t terms) (*run, error) {
	b, err := installedBundle(h, m, c, saved.Bundle)
	if err != nil {
		return nil, err
	}
	r := &run{host: h, caller: c, bundle: b, saved: saved, terms: t}
	if err := r.look(ctx, target.Request{Join: target.Join{Ticket: ticket}}); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return r, nil
}

// installed is reopen, or errNotInstalled without a saved state.
func installed(ctx context.Context, h *host.Host, m Media, c Caller, ticket string, t terms) (*run, error) {
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	if saved == nil {
		return nil, hint.With(errNotInstalled, installHint)
	}
	return reopen(ctx, h, m, c, saved, ticket, t)
}

func (c *Caller) warn(format string, args ...any) {
	c.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(format, args...)})
}

// look reads the inputs and decides the Target. It completes a new run.
func (r *run) look(ctx context.Context, request target.Request) (err error) {
	in := target.Inputs{Request: request, Bundle: r.bundle.name(), Saved: r.saved, Now: time.Now()}
	m := r.bundle.media
	file, err := readCluster(m, request.ClusterFile)
	if err != nil {
		return err
	}
	if in.Cluster, err = target.Cluster(request, file, r.saved); err != nil {
		return err
	}
	if in.Facts, err = facts.Read(ctx, r.host, facts.Options{Now: in.Now, Networks: r.caller.Networks, Runtimes: r.caller.Runtimes}); err != nil {
		return err
	}
	if r.sealed, err = findIdentity(m, request.Identity); err != nil {
		return err
	}
	in.Identity = r.sealed.Path() != ""
	in.Ticket = readTicket(m, &request.Join)
	if !r.unchecked {
		if in.Sealed, err = readSealed(r.host, r.saved); err != nil {
			return err
		}
	}
	in.Running = r.caller.anyRuns(ctx, target.OtherMasters(in), in.Ticket.Ticket)
	r.facts, r.inputs = in.Facts, in
	if r.target, err = target.Decide(in); err != nil {
		return err
	}
	for _, text := range r.target.Warnings {
		r.caller.warn("%s", text)
	}
	r.reports = r.exchange()
	return nil
}

// exchange returns the exchange of host reports on the stick.
func (r *run) exchange() *hostreport.Exchange {
	o := hostreport.Options{Stick: r.bundle.media.stick(), Host: r.host, Self: r.facts, Networks: r.caller.Networks, Runtimes: r.caller.Runtimes, Now: time.Now, Report: r.caller.Report}
	o.Keep = func(path string, text []byte) error { return writeState(r.host, filepath.Base(path), text) }
	if vip := r.target.Cluster.VIP; vip != nil {
		o.VIP = vip.Address
	}
	return hostreport.NewExchange(o)
}

// close closes the archive.
func (r *run) close() error { return r.bundle.close() }

// readCluster reads the file that describes the cluster, nil without one.
func readCluster(m Media, named string) (*manifest.Cluster, error) {
	if named != "" {
		c, err := manifest.ReadCluster(media.Named(named))
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("cannot read the cluster file: %w", err)
		}
		return c, err
	}
	if m.stick() == "" {
		return nil, nil
	}
	c, err := manifest.ReadCluster(m.file(target.ClusterFile))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return c, err
}

// findIdentity finds the sealed identity; it returns the zero File without one.
func findIdentity(m Media, named string) (media.File, error) {
	var file media.File
	switch {
	case named != "":
		file = media.Named(named)
	case m.stick() != "":
		file = m.file(identity.FileName)
	default:
		return file, nil
	}
	_, err := file.Stat()
	switch {
	case err == nil:
		return file, nil
	case named != "" || !errors.Is(err, fs.ErrNotExist):
		return media.File{}, fmt.Errorf("cannot read the identity: %w", err)
	}
	return media.File{}, nil
}

// readTicket reads the ticket that j names, builds one from the flags, or reads the one
// beside the archive.
func readTicket(m Media, j *target.Join) target.Found {
	f := target.Found{Path: j.Ticket}
	switch {
	case j.ByHand():
		f.Ticket, f.Err = j.ByFlags()
	case j.Ticket != "":
		f.Ticket, f.Err = manifest.ReadTicket(media.Named(j.Ticket))
		if os.IsNotExist(f.Err) {
			f.Err = hint.With(fmt.Errorf("cannot read the ticket: %w", f.Err), "select its file: --ticket FILE; on the master ./install ticket writes it to the stick")
		}
	case m.stick() == "":
		f.Path = ticketName
	default:
		file := m.file(ticketName)
		f.Path = file.Path()
		f.Ticket, f.Err = manifest.ReadTicket(file)
		if os.IsNotExist(f.Err) {
			f.Err = nil
		}
	}
	return f
}

// anyRuns reports whether one of the API servers runs the cluster of t.
func (c *Caller) anyRuns(ctx context.Context, servers []string, t *manifest.Ticket) bool {
	var found atomic.Bool
	var all sync.WaitGroup
	for _, at := range servers {
		all.Go(func() {
			if kubeadm.Answers(ctx, c.Dialer, at, t.CACertHashes) {
				found.Store(true)
			}
		})
	}
	all.Wait()
	return found.Load()
}
