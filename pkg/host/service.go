package host

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/visible"
)

// ServiceFile is a file that configures a service, as it is and as it is to be.
type ServiceFile struct{ Path, Before, After string }

// Service is a systemd unit together with the files that configure it.
type Service struct {
	Unit    string
	With    []string // units that come up with it
	Files   []ServiceFile
	Defined bool // the unit itself is one of Files
	Stale   bool // it runs, and not as its files say
}

// Changed says that a file is not what it is to be.
func (s Service) Changed() bool {
	for _, f := range s.Files {
		if f.Before != f.After {
			return true
		}
	}
	return false
}

// Restarts says that the unit, which is u now, has to be restarted.
func (s Service) Restarts(u Unit) bool { return u.Active && (s.Changed() || s.Stale) }

// Apply writes the files, and enables the unit or, where it runs already, restarts
// it. What is undone is undone in reverse: a unit that ran before is started with
// its earlier files when these are back.
func (s Service) Apply(ctx context.Context, h *Host) error {
	u, err := h.Unit(ctx, s.Unit)
	if err != nil {
		return err
	}
	restart := s.Restarts(u)
	if restart {
		if err := h.RecordUndo("systemctl", "restart", s.Unit); err != nil {
			return err
		}
	}
	if err := s.write(ctx, h); err != nil {
		return err
	}
	if restart || !u.Active {
		// docker's unit allows three starts a minute. One that never ran has no count
		// to reset, which is no fault.
		_ = h.Change(ctx, Command("systemctl", "reset-failed", s.Unit), nil)
	}
	if restart {
		if err := h.Change(ctx, Command("systemctl", "restart", s.Unit), nil); err != nil {
			return s.explain(ctx, h, err)
		}
	}
	if !u.Active {
		if err := s.alone(ctx, h); err != nil {
			return err
		}
	}
	if err := h.Enable(ctx, s.Unit); err != nil {
		return s.explain(ctx, h, err)
	}
	return nil
}

// write brings the files to what they are to be. Where the unit is among them,
// systemd reads it again, also where a run before this one wrote it and was
// killed, and when undoing has removed it.
func (s Service) write(ctx context.Context, h *Host) error {
	reload := []string{"systemctl", "daemon-reload"}
	if s.Defined && s.Changed() {
		if err := h.RecordUndo(reload...); err != nil {
			return err
		}
	}
	for _, f := range s.Files {
		if f.Before == f.After {
			continue
		}
		if err := h.WriteFile(f.Path, []byte(f.After), FileMode); err != nil {
			return err
		}
	}
	if !s.Defined {
		return nil
	}
	return h.Change(ctx, Command(reload...), nil)
}

// alone keeps that the units which come up with the service do not run: no
// undoing of its start would stop them.
func (s Service) alone(ctx context.Context, h *Host) error {
	for _, name := range s.With {
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
func (s Service) explain(ctx context.Context, h *Host, err error) error {
	if ctx.Err() != nil {
		return err
	}
	err = fmt.Errorf("cannot start %s: %w", s.Unit, err)
	log, logErr := h.Query(ctx, "journalctl", "--unit="+s.Unit, "--lines=8", "--no-pager", "--output=cat")
	if said := strings.TrimSpace(string(log)); logErr == nil && said != "" {
		err = &visible.Quoted{Err: err, Said: said}
	}
	return hint.With(err, "journalctl --unit=%s --lines=50 --no-pager", s.Unit)
}
