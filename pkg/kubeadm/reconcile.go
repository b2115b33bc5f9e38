package kubeadm

import (
	"context"
	"errors"
	"fmt"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// handlers are what init and join do for each condition of a host.
type handlers struct {
	verb     verb
	what     string // converges: the cluster, or the node
	judge    func() (state, error)
	revive   func() error        // start what is down
	note     func(*record) error // record that an attempt finished
	takeBack func(*record) error // undo an unfinished attempt
	begin    func(state) error
}

// reconcile judges the host and handles its condition, until it is done.
func (o *Options) reconcile(ctx context.Context, h *host.Host, r handlers) error {
	const most = 6 // more attempts than a host can need
	for range most {
		f, err := r.judge()
		if err != nil {
			return err
		}
		switch f.is {
		case done:
			return nil
		case refused:
			return refusal(f)
		case busy:
			err = o.waitWorking(ctx, h, string(r.verb))
		case down:
			err = r.revive()
		case unnoted:
			err = r.note(f.record)
		case half:
			err = r.takeBack(f.record)
		case nothing:
			return r.begin(f)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the %s on this host did not converge after %d attempts", r.what, most)
}

func refusal(f state) error {
	err := errors.New(f.why)
	if f.hint == "" {
		return err
	}
	return hint.With(err, "%s", f.hint)
}
