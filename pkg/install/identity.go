package install

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/progress"
)

// Default timeouts. With an identity a host may be installed long before the first
// master.
const (
	usualWait  = 10 * time.Minute
	masterWait = 12 * time.Hour
)

// waitFor is the timeout for components that are starting.
func (t terms) waitFor() time.Duration {
	if t.wait > 0 {
		return t.wait
	}
	return usualWait
}

// limits returns the timeouts of kubeadm's steps.
func (t terms) limits(byIdentity bool) kubeadm.Limits {
	l := kubeadm.Limits{API: t.waitFor(), Ready: t.waitFor(), Master: t.waitFor()}
	if byIdentity && t.wait <= 0 {
		l.Master = masterWait
	}
	return l
}

// openIdentity opens the identity on a master that does not have the CAs yet: only
// there it asks for the passphrase, before any change. The files beside it on the stick
// must match it. It returns r with the Target decided from the sealed content, or r
// itself if there is nothing to open.
func (r *run) openIdentity(ctx context.Context, passphrase func(context.Context, string) (string, error)) (*run, error) {
	if !r.target.ByIdentity || r.target.Role == manifest.Node {
		return r, nil
	}
	has, err := kubeadm.HasAuthority(r.host)
	if err != nil {
		return r, err
	}
	if has && (r.target.Ticket.Sealed != nil || r.saved != nil && r.saved.Finished) {
		return r, nil
	}
	if r.sealed.Path() == "" || passphrase == nil {
		return r, hint.With(errors.New("this master does not have the cluster's CAs, and there is no identity that contains them"),
			"insert the stick with %s, or select the file: --identity FILE", identity.FileName)
	}
	word, err := passphrase(ctx, r.sealed.Path())
	if err != nil {
		return r, err
	}
	id, err := identity.Read(r.sealed, []byte(word))
	if err != nil {
		return r, err
	}
	if err := r.target.Belongs(r.facts, id.Ticket, r.sealed.Path()); err != nil {
		return r, err
	}
	return r.withIdentity(id)
}

// withIdentity returns r with the opened identity and a new decision.
func (r *run) withIdentity(id *identity.Identity) (*run, error) {
	with := *r
	with.keys = id
	with.inputs.Sealed = id.Ticket
	decided, err := target.Decide(with.inputs)
	if err != nil {
		return r, err
	}
	with.target = decided
	for _, text := range decided.Warnings {
		if !slices.Contains(r.target.Warnings, text) {
			r.caller.warn("%s", text)
		}
	}
	return &with, nil
}

// releaseMedia releases the stick for another host while this one waits for its master:
// it closes the archive and locks this program, which is on the stick, in memory.
func (r *run) releaseMedia(ctx context.Context) {
	say := func(text string) {
		r.caller.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: text})
	}
	mount := mountOf(r.host, r.bundle.media.stick())
	if mount == "/" {
		return
	}
	r.reports.Release(ctx, r.outcome(false, "waiting for its master"))
	if err := r.close(); err != nil || unix.Mlockall(unix.MCL_CURRENT) != nil {
		say("keep the stick in this host until it has joined")
		return
	}
	say("this host no longer needs the stick: mount -o remount,ro " + mount + ", remove it, and continue with the other hosts while this one waits")
}

// mountOf returns the mount point of the file system of dir, "/" if unknown.
func mountOf(h *host.Host, dir string) string {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "/"
	}
	if m, err := h.MountOf(dir); err == nil && m.At != "" {
		return m.At
	}
	return "/"
}
