package preflight

import (
	"fmt"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

const clockForm = "2006-01-02 15:04:05"

// past is a time that has passed for sure, and why.
type past struct {
	at  time.Time
	why string
}

// pasts are the times that a right clock has passed.
func (o *Options) pasts() []past {
	list := []past{{o.NotBefore, "this bundle was made after"}}
	if o.Ticket != nil && o.TicketLife > 0 {
		if expires, err := time.Parse(time.RFC3339, o.Ticket.Expires); err == nil {
			list = append(list, past{expires.Add(-o.TicketLife), "the master wrote the ticket at"})
		}
	}
	for _, other := range o.Others {
		list = append(list, past{other.Time, fmt.Sprintf("%s left its sheet on the stick at", other.Hostname)})
	}
	return list
}

// clock compares the host's clock with every time that is known to have passed:
// certificates of a master whose clock is ahead are not valid yet.
func clock(_ *host.Host, o *Options, f *found) error {
	now := o.Facts.Time
	var latest past
	for _, p := range o.pasts() {
		if p.at.After(latest.at) {
			latest = p
		}
	}
	if behind := latest.at.Sub(now); behind > o.Tolerance {
		f.fail(fmt.Sprintf("date -u tells the time here and there; set the right one: date -u -s '%s' && hwclock --systohc", latest.at.UTC().Format(clockForm)),
			"this host's clock says %s UTC, and %s %s UTC: it is %s behind, or the other is ahead",
			now.UTC().Format(clockForm), latest.why, latest.at.UTC().Format(clockForm), behind.Round(time.Second))
	}
	f.okIf("%s UTC", now.UTC().Format(clockForm))
	return nil
}

func ticket(_ *host.Host, o *Options, f *found) error {
	if o.TicketErr != nil {
		f.fail(hint.Of(o.TicketErr), "%v", o.TicketErr)
	}
	if o.Ticket == nil || o.Ours {
		return nil
	}
	expires, err := time.Parse(time.RFC3339, o.Ticket.Expires)
	now := o.Facts.Time
	switch {
	case err != nil:
		f.ok("does not expire")
	case o.Ticket.Expired(now):
		f.fail("on the master, with the stick: ./install ticket; but if this host's clock is ahead: date -u -s 'YEAR-MONTH-DAY HH:MM:SS'",
			"by this host's clock the ticket expired at %s UTC, %s ago", expires.UTC().Format(clockForm), now.Sub(expires).Round(time.Second))
	default:
		f.ok("expires at %s UTC", expires.UTC().Format(clockForm))
	}
	if want := o.Ticket.Kubernetes; want != "" && want != o.Manifest.Kubernetes {
		f.fail("take the archive that the master was installed from: --archive FILE", "the cluster runs Kubernetes %s, this bundle holds %s", want, o.Manifest.Kubernetes)
	}
	return nil
}
