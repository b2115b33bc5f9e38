package distro

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
)

// Inventory lists what is installed on h, of whatever family it is, sorted; nil
// where it has no packages of this kind.
func Inventory(ctx context.Context, h *host.Host) ([]string, error) {
	out, err := h.Query(ctx, "rpm", "-qa", "--qf", nevraFormat)
	if host.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask rpm what is installed: %w", err)
	}
	return parseInventory(string(out)), nil
}

// parseInventory sorts what rpm -qa prints. The keys that rpm keeps as packages of
// no architecture are left out.
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
