package host

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/visible"
)

// ServiceFile is a configuration file of a service, with its current and wanted content.
type ServiceFile struct{ Path, Before, After string }

// Service is a systemd unit together with the files that configure it.
type Service struct {
	Unit    string
	With    []string // units started together with it
	Files   []ServiceFile
	Defined bool // the unit itself is one of Files
	Stale   bool // it runs with another configuration than its files
}

// Changed reports whether a file differs from its wanted content.
func (s Service) Changed() bool {
	for _, f := range s.Files {
		if f.Before != f.After {
			return true
		}
	}
	return false
}

// Restarts reports whether the unit, whose state is u, must be restarted.
func (s Service) Restarts(u Unit) bool { return u.Active && (s.Changed() || s.Stale) }

// Apply writes the files, and enables the unit or, if it is running, restarts it.
// Undoing is in reverse order: a unit that ran before is restarted after its previous
// files are restored.
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
		// docker's unit allows three starts per minute. A unit that never ran has no
		// counter to reset, which is not an error.
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

// write writes the files. If the unit is among them, systemd reloads it, also if an
// earlier run wrote it and was killed, and when undoing has removed it.
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

// alone records that the units started together with the service were not running:
// stopping the service would not stop them.
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

// explain adds the service's log to the error of a start: systemctl only says where to
// find it.
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
