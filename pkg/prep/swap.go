package prep

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const (
	fstab     = "/etc/fstab"
	swapsNow  = "/proc/swaps"
	swapMark  = "#kubecrate# "
	swapField = 2 // the type in a line of fstab, fstab(5)
)

// Swap is the step that turns swap off, now and at boot: it runs swapoff, comments
// out the lines in fstab, and masks the systemd units, since a swap partition is
// activated by its unit even without a line in fstab.
func Swap() step.Step { return swap{} }

type swap struct{}

func (swap) Name() string { return "swap" }

func (swap) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	devices, err := swapping(h)
	if err != nil {
		return st, err
	}
	for _, d := range devices {
		st.Todo("turn off swap on %s", d)
	}
	text, err := h.Text(fstab)
	if err != nil {
		return st, err
	}
	st.File(fstab, text, withoutSwap(text))
	units, err := swapUnits(ctx, h)
	for _, u := range units {
		st.Todo("mask %s", u)
	}
	return st, err
}

// swapping lists the swap devices in use: the first column of /proc/swaps, in which
// a space is \040.
func swapping(h *host.Host) ([]string, error) {
	text, err := h.Text(swapsNow)
	if err != nil {
		return nil, err
	}
	var devices []string
	first := true
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); !first && len(f) > 0 {
			devices = append(devices, strings.ReplaceAll(f[0], `\040`, " "))
		}
		first = false
	}
	return devices, nil
}

// withoutSwap returns fstab with its swap lines commented out.
func withoutSwap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > swapField && !strings.HasPrefix(f[0], "#") && f[swapField] == "swap" {
			b.WriteString(swapMark)
		}
		b.WriteString(line)
	}
	return b.String()
}

// swapUnits lists the units that would turn swap on and are not masked.
func swapUnits(ctx context.Context, h *host.Host) ([]string, error) {
	out, err := h.Query(ctx, "systemctl", "list-units", "--type=swap", "--all", "--full", "--no-legend", "--no-pager", "--plain")
	if err != nil {
		return nil, fmt.Errorf("cannot list the swap units: %w", err)
	}
	var units []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 0 || !strings.HasSuffix(f[0], ".swap") {
			continue
		}
		u, err := h.Unit(ctx, f[0])
		if err != nil {
			return nil, err
		}
		if u.Known() && u.Load != "masked" {
			units = append(units, f[0])
		}
	}
	return units, nil
}

func (swap) Apply(ctx context.Context, h *host.Host) error {
	units, err := swapUnits(ctx, h)
	if err != nil {
		return err
	}
	for _, u := range units {
		if err := h.Mask(ctx, u); err != nil {
			return err
		}
	}
	devices, err := swapping(h)
	if err != nil {
		return err
	}
	for _, d := range devices {
		undo, err := swapOn(ctx, h, d)
		if err != nil {
			return err
		}
		if err := h.Change(ctx, host.Command("swapoff", d), undo); err != nil {
			return fmt.Errorf("cannot turn off swap; there may not be enough free memory: %w", err)
		}
	}
	text, err := h.Text(fstab)
	if err != nil {
		return err
	}
	without := withoutSwap(text)
	if without == text {
		return nil
	}
	// Undone in reverse order: systemd reads the restored fstab before the units that
	// it generates from it are started.
	reload := []string{"systemctl", "daemon-reload"}
	if err := h.Change(ctx, host.Command(reload...), reload); err != nil {
		return err
	}
	return h.WriteFile(fstab, []byte(without), host.FileMode)
}

// swapOn returns the command that turns swap on a device on again. Starting its unit
// succeeds even if swap is on; swapon would fail.
func swapOn(ctx context.Context, h *host.Host, device string) ([]string, error) {
	out, err := h.Query(ctx, "systemd-escape", "--path", "--suffix=swap", device)
	if err != nil {
		return nil, err
	}
	return []string{"systemctl", "start", strings.TrimSpace(string(out))}, nil
}
