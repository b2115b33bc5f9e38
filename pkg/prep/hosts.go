package prep

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const (
	hostnameFile = "/etc/hostname"
	hostnameNow  = "/proc/sys/kernel/hostname"
	hostsFile    = "/etc/hosts"
)

// Hosts is the step that sets the hostname, unless hostname is "", and lists the
// cluster's hosts in a block of /etc/hosts.
func Hosts(hostname string, entries []Entry) step.Step { return hosts{hostname, entries} }

type hosts struct {
	hostname string
	entries  []Entry
}

func (hosts) Name() string { return "hosts" }

func (s hosts) Check(_ context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	now, err := h.Text(hostnameNow)
	if err != nil {
		return st, err
	}
	now = strings.TrimSpace(now)
	if s.hostname == "" && (now == "" || now == "localhost" || strings.HasPrefix(now, "localhost.")) {
		return step.Cannot("set a name with --hostname NAME", "the hostname is %q; every node needs a unique name", now), nil
	}
	if s.hostname != "" && now != s.hostname {
		st.Todo("set the hostname to %s (now %s)", s.hostname, now)
	}
	if s.hostname != "" {
		kept, err := h.Text(hostnameFile)
		if err != nil {
			return st, err
		}
		if strings.TrimSpace(kept) != s.hostname {
			st.File(hostnameFile, kept, s.hostname+"\n")
		}
	}
	text, err := h.Text(hostsFile)
	if err != nil {
		return st, err
	}
	if line := s.contradiction(text); line != "" {
		return step.Cannot("edit /etc/hosts: correct or remove that line", "the line %q of /etc/hosts contradicts the cluster's host list", line), nil
	}
	st.File(hostsFile, text, s.withEntries(text))
	return st, nil
}

func (s hosts) withEntries(text string) string {
	var b strings.Builder
	for _, e := range s.entries {
		fmt.Fprintf(&b, "%s %s\n", e.Address, strings.Join(e.Names, " "))
	}
	return withBlock(text, b.String())
}

// contradiction returns a line outside the block that maps one of the cluster's
// names to another address of the same family. A name may have several addresses.
func (s hosts) contradiction(text string) string {
	for line := range strings.Lines(outsideBlock(text)) {
		code, _, _ := strings.Cut(line, "#")
		fields := strings.Fields(code)
		if len(fields) < 2 {
			continue
		}
		at, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, e := range s.entries {
			same := func(name string) bool { return slices.Contains(fields[1:], name) && !s.has(name, at) }
			if at.Is4() == e.Address.Is4() && slices.ContainsFunc(e.Names, same) {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// has reports whether at is one of the addresses of name.
func (s hosts) has(name string, at netip.Addr) bool {
	return slices.ContainsFunc(s.entries, func(e Entry) bool { return e.Address == at && slices.Contains(e.Names, name) })
}

func (s hosts) Apply(ctx context.Context, h *host.Host) error {
	now, err := h.Text(hostnameNow)
	if err != nil {
		return err
	}
	if now = strings.TrimSpace(now); s.hostname != "" && now != s.hostname {
		if err := h.Change(ctx, host.Command("hostname", s.hostname), []string{"hostname", now}); err != nil {
			return err
		}
	}
	kept, err := h.Text(hostnameFile)
	if err == nil && s.hostname != "" && strings.TrimSpace(kept) != s.hostname {
		err = h.WriteFile(hostnameFile, []byte(s.hostname+"\n"), host.FileMode)
	}
	text, herr := h.Text(hostsFile)
	if err := errors.Join(err, herr); err != nil {
		return err
	}
	if want := s.withEntries(text); want != text {
		return h.WriteFile(hostsFile, []byte(want), host.FileMode)
	}
	return nil
}
