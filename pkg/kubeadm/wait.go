package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// hintTicket is how to make a new ticket.
const hintTicket = "on the master: ./install ticket, then carry the new join.yaml here and add --ticket FILE"

// asker is probe over the dialer of Options, or its double in a test.
type asker func(ctx context.Context, endpoint string) (*answer, error)

// waitMaster waits until the API server that the ticket names accepts the ticket. It
// fails at once if waiting cannot help. Before it waits for the first time it calls
// waiting, which may be nil.
func (o *Options) waitMaster(ctx context.Context, t *manifest.Ticket, ask asker, waiting func(context.Context)) error {
	limits := o.Limits.withDefaults()
	endpoint := manifest.HostPort(t.Endpoint)
	begun, said, saidAt := time.Now(), "", time.Time{}
	var unknown time.Time // since when the token is not known
	for {
		a, err := ask(ctx, endpoint)
		if err == nil {
			err = admits(a, t)
		}
		var clock *ClockError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &clock), errors.Is(err, errOther):
			return err
		case !errors.Is(err, errToken):
			unknown = time.Time{}
		case unknown.IsZero():
			unknown = time.Now()
		case time.Since(unknown) > signing:
			return err
		}
		waited := time.Since(begun)
		if waited > limits.Master {
			return fmt.Errorf("the API server at %s did not let this host in within %s: %w", endpoint, limits.Master, err)
		}
		if said == "" && waiting != nil {
			waiting(ctx)
		}
		if text := err.Error(); text != said || time.Since(saidAt) > repeat {
			said, saidAt = text, time.Now()
			if fix := hint.Of(err); fix != "" {
				text += " (hint: " + fix + ")"
			}
			o.note("join", "waiting for the master at %s, %s of at most %s: %s; Ctrl-C stops; the same command resumes", endpoint, waited.Round(time.Second), limits.Master, text)
		}
		if err := sleep(ctx, limits.Poll); err != nil {
			return err
		}
	}
}

const (
	signing = 30 * time.Second // a new token is in cluster-info within seconds
	repeat  = 30 * time.Second // between two notes of the same cause
)

// untrusted is an API server, or a file, that is not the expected one.
type untrusted struct{ err error }

func (e *untrusted) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *untrusted) Unwrap() error { return e.err }

// ExitCode is cli.ExitCorrupt.
func (*untrusted) ExitCode() int { return 4 }

var (
	errOther = errors.New("another cluster answers")
	errToken = errors.New("the master does not know the ticket's token: it has expired or was revoked")
)

// admits checks that the cluster that answered is the ticket's, and still knows its
// token.
func admits(a *answer, t *manifest.Ticket) error {
	if !slices.Contains(t.CACertHashes, a.caHash) {
		err := fmt.Errorf("%w at %s: its CA is %s, the ticket's is %s", errOther, t.Endpoint, a.caHash, strings.Join(t.CACertHashes, ", "))
		return hint.With(&untrusted{err}, "%s", hintTicket)
	}
	id, _, _ := strings.Cut(t.Token, ".")
	if !a.tokens[id] {
		return hint.With(errToken, hintTicket)
	}
	return nil
}

// usable says why this bundle cannot use a ticket at now, "" if it can.
func usable(o *Options, t *manifest.Ticket, now time.Time) (why, fix string) {
	if t.Expired(now) {
		at, _ := time.Parse(time.RFC3339, t.Expires) // Expired has parsed it
		return fmt.Sprintf("the ticket expired %s ago, at %s; this host's clock says %s", now.Sub(at).Round(time.Second),
			at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)), "check date; if it is right, " + hintTicket
	}
	if t.Kubernetes == "" {
		return "", ""
	}
	theirs, err := parseRelease(t.Kubernetes)
	mine, merr := parseRelease(o.Version)
	if err == nil && merr == nil && theirs != mine {
		return fmt.Sprintf("the cluster runs Kubernetes %s, and this archive has %s", t.Kubernetes, o.Version), "use the archive from which the master was installed"
	}
	return "", ""
}
