package distro

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
)

// Inventory lists the packages installed on h, of any family, sorted; nil if the host
// has no rpm.
func Inventory(ctx context.Context, h *host.Host) ([]string, error) {
	out, err := h.Query(ctx, "rpm", "-qa", "--qf", nevraFormat)
	if host.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list installed packages: %w", err)
	}
	return parseInventory(string(out)), nil
}

// parseInventory parses and sorts the output of rpm -qa. It omits keys, which rpm
// stores as packages without architecture.
func parseInventory(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		n, err := nevra.Parse(strings.TrimSpace(line))
		if err == nil && n.Name != "gpg-pubkey" && !strings.ContainsAny(line, "()/ ") {
			list = append(list, n.String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
