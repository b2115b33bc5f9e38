package preflight

import (
	"fmt"
	"time"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

const clockForm = "2006-01-02 15:04:05"

// clock compares the host's clock with times known to have passed: certificates of a
// master whose clock is ahead are not valid yet. What another host wrote on the stick
// is unverified: it only causes a warning.
func clock(_ *host.Host, o *Options, f *found) error {
	now := o.Facts.Time
	if behind := o.NotBefore.Sub(now); behind > o.Tolerance {
		f.fail(fmt.Sprintf("check the time with date -u, then set it: date -u -s '%s' && hwclock --systohc", o.NotBefore.UTC().Format(clockForm)),
			"this host's clock says %s UTC, but this bundle was built after %s UTC: the clock is at least %s behind",
			now.UTC().Format(clockForm), o.NotBefore.UTC().Format(clockForm), behind.Round(time.Second))
	}
	issued := o.issued()
	if behind := issued.Sub(now); behind > o.Tolerance {
		// The ticket is not signed: its time does not go into a command.
		f.fail("compare date -u on the master and here; on the host whose clock is wrong: date -u -s 'YEAR-MONTH-DAY HH:MM:SS' && hwclock --systohc",
			"this host's clock says %s UTC, but the ticket was written at %s UTC: this clock is %s behind, or the master's is ahead; certificates that the master signs are not valid here before that time",
			now.UTC().Format(clockForm), issued.UTC().Format(clockForm), behind.Round(time.Second))
	}
	var latest *facts.Facts
	for _, other := range o.Others {
		if latest == nil || other.Time.After(latest.Time) {
			latest = other
		}
	}
	if latest != nil && latest.Time.Sub(now) > o.Tolerance {
		f.warn("compare date -u on both hosts; on the host whose clock is wrong: date -u -s 'YEAR-MONTH-DAY HH:MM:SS' && hwclock --systohc",
			"this host's clock says %s UTC, but %s wrote its host report at %s UTC: this clock is %s behind, the other is ahead, or the report is wrong",
			now.UTC().Format(clockForm), latest.Hostname, latest.Time.UTC().Format(clockForm), latest.Time.Sub(now).Round(time.Second))
	}
	f.okIf("%s UTC", now.UTC().Format(clockForm))
	return nil
}

// issued returns when the ticket that the host joins with was written, the zero time
// if the ticket does not say.
func (o *Options) issued() time.Time {
	if o.Ticket == nil || o.Ours {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, o.Ticket.Issued)
	if err != nil {
		return time.Time{}
	}
	return at
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
		f.fail("on the master, with the stick: ./install ticket; if this host's clock is ahead instead: date -u -s 'YEAR-MONTH-DAY HH:MM:SS'",
			"according to this host's clock, the ticket expired at %s UTC, %s ago", expires.UTC().Format(clockForm), now.Sub(expires).Round(time.Second))
	default:
		f.ok("expires at %s UTC", expires.UTC().Format(clockForm))
	}
	if want := o.Ticket.Kubernetes; want != "" && want != o.Manifest.Kubernetes {
		f.fail("use the archive that the master was installed from: --archive FILE", "the cluster runs Kubernetes %s, this bundle contains %s", want, o.Manifest.Kubernetes)
	}
	return nil
}
