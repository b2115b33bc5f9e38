package cri

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/visible"
)

// file is a file of a service, as it is and as it is to be.
type file struct{ path, before, after string }

// service is a unit with its files.
type service struct {
	unit  string
	with  []string // units that come up with it
	files []file
	stale bool // it runs, and not as its files say
}

func (s service) changed() bool {
	for _, f := range s.files {
		if f.before != f.after {
			return true
		}
	}
	return false
}

// restarts says that a unit which runs has to be restarted.
func (s service) restarts(u host.Unit) bool { return u.Active && (s.changed() || s.stale) }

// apply writes the files, and turns the unit on or, where it runs already,
// restarts it. What is undone is undone in reverse: a unit that ran before is
// started with its earlier files when these are back.
func (s service) apply(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, s.unit)
	if err != nil {
		return err
	}
	restart := s.restarts(u)
	if restart {
		if err := h.RecordUndo("systemctl", "restart", s.unit); err != nil {
			return err
		}
	}
	for _, f := range s.files {
		if f.before == f.after {
			continue
		}
		if err := h.WriteFile(f.path, []byte(f.after), host.FileMode); err != nil {
			return err
		}
	}
	// docker's unit allows three starts a minute. One that never ran has no count
	// to reset, which is no fault.
	_ = h.Change(ctx, host.Command("systemctl", "reset-failed", s.unit), nil)
	if restart {
		if err := h.Change(ctx, host.Command("systemctl", "restart", s.unit), nil); err != nil {
			return s.explain(ctx, h, err)
		}
	}
	if !u.Active {
		if err := s.alone(ctx, h); err != nil {
			return err
		}
	}
	if err := h.Enable(ctx, s.unit); err != nil {
		return s.explain(ctx, h, err)
	}
	return nil
}

// alone keeps that the units which come up with the service do not run: no
// undoing of its start would stop them.
func (s service) alone(ctx context.Context, h *host.Host) error {
	for _, name := range s.with {
		u, err := h.Unit(ctx, name)
		if err != nil {
			return err
		}
		if u.Known() && !u.Active {
			if err := h.RecordUndo("systemctl", "stop", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// explain adds to the error of a start what the service itself said: systemctl
// says only where to look.
func (s service) explain(ctx context.Context, h *host.Host, err error) error {
	if ctx.Err() != nil {
		return err
	}
	err = fmt.Errorf("cannot start %s: %w", s.unit, err)
	log, logErr := h.Query(ctx, "journalctl", "--unit="+s.unit, "--lines=8", "--no-pager", "--output=cat")
	if said := strings.TrimSpace(string(log)); logErr == nil && said != "" {
		err = &visible.Quoted{Err: err, Said: said}
	}
	return hint.With(err, "journalctl --unit=%s --lines=50 --no-pager", s.unit)
}
