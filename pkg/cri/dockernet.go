package cri

import (
	"context"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
)

// dockerLink is the bridge that dockerd creates when it starts.
const dockerLink = "docker0"

// Clean is step.Cleaner's: if docker is not running after the reset, it removes
// docker's bridge and packet filter chains, which docker leaves when it stops and
// creates again when it starts.
func (dockerStep) Clean(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, dockerUnit)
	if err != nil || u.Active {
		return err
	}
	if err := netfilter.Prune(ctx, h, ofDocker); err != nil {
		return err
	}
	there, err := h.Exists("/sys/class/net/" + dockerLink)
	if err != nil || !there {
		return err
	}
	return h.Change(ctx, host.Command("ip", "link", "delete", dockerLink), nil)
}

// ofDocker reports whether a line of iptables-save is dockerd's: its chains, jumps to
// them, and the rules of its bridge.
func ofDocker(words []string) bool {
	if strings.HasPrefix(netfilter.Chain(words), "DOCKER") {
		return true
	}
	for _, flag := range []string{"-A", "-j", "-g"} {
		if strings.HasPrefix(netfilter.Value(words, flag), "DOCKER") {
			return true
		}
	}
	return netfilter.Value(words, "-i") == dockerLink || netfilter.Value(words, "-o") == dockerLink
}
