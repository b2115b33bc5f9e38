package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Unit is a systemd unit as reported by systemctl show. Load is "loaded", "masked" or
// "not-found"; Enabled is the UnitFileState, "" for a unit without a file.
type Unit struct {
	Name    string
	Load    string
	Enabled string
	Active  bool
}

// Known reports whether the host has the unit.
func (u Unit) Known() bool { return u.Load != "not-found" }

// Starts reports whether the unit starts at boot.
func (u Unit) Starts() bool { return u.Enabled == "enabled" || u.Enabled == "enabled-runtime" }

// Unit queries systemd for a unit.
func (h *Host) Unit(ctx context.Context, name string) (Unit, error) {
	out, err := h.Query(ctx, "systemctl", "show", "--property=LoadState,UnitFileState,ActiveState", name)
	if err != nil {
		return Unit{}, fmt.Errorf("cannot query systemd for %s: %w", name, err)
	}
	u := Unit{Name: name}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "LoadState":
			u.Load = value
		case "UnitFileState":
			u.Enabled = value
		case "ActiveState":
			u.Active = value == "active" || value == "activating" || value == "reloading"
		}
	}
	if u.Load == "" {
		return u, fmt.Errorf("cannot query systemd for %s: unexpected output %q", name, out)
	}
	return u, nil
}

// Disable stops a unit and disables it at boot. Undoing restores its previous state.
func (h *Host) Disable(ctx context.Context, name string) error {
	u, err := h.Unit(ctx, name)
	if err != nil || !u.Known() {
		return err
	}
	if u.Starts() {
		if err := h.systemctl(ctx, "disable", "enable", name); err != nil {
			return err
		}
	}
	if u.Active {
		return h.systemctl(ctx, "stop", "start", name)
	}
	return nil
}

// Enable starts a unit and enables it at boot.
func (h *Host) Enable(ctx context.Context, name string) error {
	if err := h.EnableAtBoot(ctx, name); err != nil {
		return err
	}
	u, err := h.Unit(ctx, name)
	if err != nil || u.Active {
		return err
	}
	return h.systemctl(ctx, "start", "stop", name)
}

// EnableAtBoot enables a unit at boot.
func (h *Host) EnableAtBoot(ctx context.Context, name string) error {
	u, err := h.Unit(ctx, name)
	if err != nil {
		return err
	}
	if u.Load == "masked" {
		if err := h.systemctl(ctx, "unmask", "mask", name); err != nil {
			return err
		}
	}
	if u.Starts() {
		return nil
	}
	return h.systemctl(ctx, "enable", "disable", name)
}

// Mask stops a unit and prevents it from starting in any way.
func (h *Host) Mask(ctx context.Context, name string) error {
	u, err := h.Unit(ctx, name)
	if err != nil {
		return err
	}
	if u.Active {
		if err := h.systemctl(ctx, "stop", "start", name); err != nil {
			return err
		}
	}
	if u.Load == "masked" {
		return nil
	}
	return h.systemctl(ctx, "mask", "unmask", name)
}

// systemctl changes a unit; opposite is the verb that undoes it.
func (h *Host) systemctl(ctx context.Context, verb, opposite, name string) error {
	return h.Change(ctx, Command("systemctl", verb, name), []string{"systemctl", opposite, name})
}

// UnitIsGone reports whether argv turns off or restarts a unit that the host no longer
// has: such a unit neither runs, with any configuration, nor starts at boot, though
// systemctl fails.
func UnitIsGone(ctx context.Context, h *Host, argv []string) bool {
	if len(argv) != 3 || argv[0] != "systemctl" || !slices.Contains([]string{"stop", "disable", "restart", "try-restart"}, argv[1]) {
		return false
	}
	u, err := h.Unit(ctx, argv[2])
	return err == nil && !u.Known() && !u.Active
}
