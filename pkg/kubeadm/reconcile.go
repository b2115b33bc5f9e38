package kubeadm

import (
	"context"
	"errors"
	"fmt"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// handlers are what init and join do about the states of a host that are to be
// fixed before it is as it should be.
type handlers struct {
	verb     verb
	what     string // is to come to rest: the cluster, or the node
	judge    func() (state, error)
	revive   func() error        // what is down
	note     func(*record) error // that a try came to its end
	takeBack func(*record) error // a try that did not
	begin    func(state) error
}

// reconcile judges the host and does what is to be done about it, until it is done.
func (o *Options) reconcile(ctx context.Context, h *host.Host, r handlers) error {
	const most = 6 // more turns than a host can take
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
	return fmt.Errorf("the %s on this host does not come to rest", r.what)
}

func refusal(f state) error {
	err := errors.New(f.why)
	if f.hint == "" {
		return err
	}
	return hint.With(err, "%s", f.hint)
}
