// Package netfilter reads a host's packet filter and removes rules from it, without
// touching others.
package netfilter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"kubecrate/pkg/host"
)

// programs are those for each family and, on a host with both, for each backend of
// the kernel.
func programs() []string {
	return []string{"iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"}
}

// Prune removes the lines of iptables-save -c that drop selects, in every table and
// family, by the words of a line: ":CHAIN POLICY [0:0]" or
// "[0:0] -A CHAIN ... -j TARGET". It continues where a family fails.
func Prune(ctx context.Context, h *host.Host, drop func(words []string) bool) error {
	var errs []error
	for i, program := range programs() {
		saved, err := h.Query(ctx, program+"-save", "-c")
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && (i > 0 || host.NotFound(err)):
			continue // a kernel without that family has no rules of it
		case err != nil:
			errs = append(errs, err)
			continue
		}
		kept, changed := Without(string(saved), drop)
		if !changed {
			continue
		}
		errs = append(errs, h.Change(ctx, host.Cmd{Argv: []string{program + "-restore", "-c"}, Stdin: strings.NewReader(kept)}, nil))
	}
	return errors.Join(errs...)
}

// Chains lists the chains of every table and family whose names begin with
// prefix.
func Chains(ctx context.Context, h *host.Host, prefix string) ([]string, error) {
	var list []string
	for _, program := range programs() {
		saved, err := h.Query(ctx, program+"-save")
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // without the program or the family in the kernel there are none
		}
		for line := range strings.Lines(string(saved)) {
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			if c := Chain(words); strings.HasPrefix(c, prefix) && !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

// Without removes the lines that drop selects from the output of iptables-save;
// changed is false if there are none.
func Without(text string, drop func(words []string) bool) (kept string, changed bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && drop(words) {
			changed = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), changed
}

// Chain is the chain that a line defines, "" for a rule.
func Chain(words []string) string {
	chain, _ := strings.CutPrefix(words[0], ":")
	if chain == words[0] {
		return ""
	}
	return chain
}

// Value is what follows a flag in a rule, "" without it.
func Value(words []string, flag string) string {
	for i := 0; i+1 < len(words); i++ {
		if words[i] == flag {
			return words[i+1]
		}
	}
	return ""
}
