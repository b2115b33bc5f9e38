package prep

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

const (
	chronyFile = "/etc/chrony.conf"
	chronyUnit = "chronyd.service"
	ntpUnit    = "ntpd.service"
)

// Clock says where a host gets its time from. In an isolated network the master
// serves its own clock to the others; with neither field set, only the service is
// enabled and its configuration stays unchanged.
type Clock struct {
	Serve  []netip.Prefix // networks that may use this host as a time server
	Server netip.Addr     // this host's time server
}

// Time is the step that synchronizes the clock with chrony. It comes after the
// packages, which may include chrony.
func Time(c Clock) step.Step { return clock{c} }

type clock struct{ Clock }

func (clock) Name() string { return "time" }

// body returns the block in chrony's configuration.
func (s clock) body() string {
	var b strings.Builder
	if len(s.Serve) > 0 {
		b.WriteString("local stratum 10\n")
	}
	for _, p := range s.Serve {
		fmt.Fprintf(&b, "allow %s\n", p)
	}
	if s.Server.IsValid() {
		fmt.Fprintf(&b, "server %s iburst\n", s.Server)
	}
	return b.String()
}

func (s clock) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	chrony, err := h.Unit(ctx, chronyUnit)
	if err != nil {
		return st, err
	}
	if !chrony.Known() {
		st.Todo("enable and start %s, once chrony is installed", chronyUnit)
		return st, nil
	}
	ntp, err := h.Unit(ctx, ntpUnit)
	if err != nil {
		return st, err
	}
	if ntp.Active || ntp.Starts() {
		st.Todo("stop and disable %s, which conflicts with chronyd", ntpUnit)
	}
	if !chrony.Active || !chrony.Starts() {
		st.Todo("enable and start %s", chronyUnit)
	}
	text, err := h.Text(chronyFile)
	if err != nil {
		return st, err
	}
	st.File(chronyFile, text, withBlock(text, s.body()))
	return st, nil
}

func (s clock) Apply(ctx context.Context, h *host.Host) error {
	chrony, err := h.Unit(ctx, chronyUnit)
	if err != nil {
		return err
	}
	if !chrony.Known() {
		return software.Missing(h, errors.New("chrony is not installed"), "chronyd")
	}
	if err := h.Disable(ctx, ntpUnit); err != nil {
		return err
	}
	text, err := h.Text(chronyFile)
	if err != nil {
		return err
	}
	return host.Service{Unit: chronyUnit, Files: []host.ServiceFile{{Path: chronyFile, Before: text, After: withBlock(text, s.body())}}}.Apply(ctx, h)
}
