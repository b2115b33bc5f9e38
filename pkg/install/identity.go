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

// How long a host waits where nothing else is said. With an identity a host may
// be visited long before the first master is.
const (
	usualWait  = 10 * time.Minute
	masterWait = 12 * time.Hour
)

// waitFor is how long is waited for what is there and only has to come up.
func (t terms) waitFor() time.Duration {
	if t.wait > 0 {
		return t.wait
	}
	return usualWait
}

// limits are what kubeadm's steps wait.
func (t terms) limits(byIdentity bool) kubeadm.Limits {
	l := kubeadm.Limits{API: t.waitFor(), Ready: t.waitFor(), Master: t.waitFor()}
	if byIdentity && t.wait <= 0 {
		l.Master = masterWait
	}
	return l
}

// openIdentity opens the identity on a master that has yet to be given the CAs:
// only there the passphrase is asked for, and before anything is changed. What
// lies beside it on the stick must be what it was made with. What comes back is r
// with the Target that follows from what is sealed, or r itself where there is
// nothing to open.
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
		return r, hint.With(errors.New("this master has yet to get the cluster's CAs, and there is no identity to take them from"),
			"put the stick with %s in, or name the file: --identity FILE", identity.FileName)
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

// withIdentity is r after the identity was opened: it is decided again.
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

// releaseMedia makes the stick free to go to another host while this one waits for
// its master: nothing is read from it any more, and of this program, which lies on
// it, all stays in memory.
func (r *run) releaseMedia(ctx context.Context) {
	say := func(text string) {
		r.caller.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: text})
	}
	mount := mountOf(r.host, r.bundle.media.stick())
	if mount == "/" {
		return
	}
	r.reports.Release(ctx, r.outcome(false, "it waits for its master"))
	if err := r.close(); err != nil || unix.Mlockall(unix.MCL_CURRENT) != nil {
		say("leave the stick in this host until it has joined")
		return
	}
	say("nothing of the stick is needed here any more: mount -o remount,ro " + mount + ", pull it out, and take it to the other hosts while this one waits")
}

// mountOf is the directory at which the file system of dir is mounted; "/" where
// it cannot be found out.
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
