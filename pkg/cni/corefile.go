package cni

import (
	"net/netip"
	"slices"
	"strings"
)

// hostResolver is what CoreDNS's Corefile names as its upstream: the file that
// the kubelet gives to its pod.
const hostResolver = "/etc/resolv.conf"

// withoutHost takes the host's nameservers out of a Corefile: of forward (see
// https://coredns.io/plugins/forward) or, before CoreDNS 1.5, proxy. All else
// stays as it is; a Corefile that does not name them is returned unchanged.
//
// Where they were the only upstream, kubernetes of the same server takes the root
// zone as well, so that what is outside the cluster does not exist. Without that
// CoreDNS would answer SERVFAIL, at which the resolver of Alpine's images gives
// up: it would find no name of a service that is written out, because the host's
// own search domain, which pods inherit, is tried before.
func withoutHost(corefile string) string {
	lines := slices.Collect(strings.Lines(corefile))
	depth, block := 0, 0
	kubernetes := map[int]int{} // by server: the line of the plugin
	var orphans []int           // servers that lose their only upstream
	changed := false
	for i := 0; i < len(lines); i++ {
		words := code(lines[i])
		if depth == 1 && len(words) > 0 && words[0] == "kubernetes" {
			kubernetes[block] = i
		}
		if depth == 1 && forwards(words) {
			changed = true
			if line := withoutWord(lines[i], hostResolver); len(code(line)) > 2 && code(line)[2] != "{" {
				lines[i] = line
			} else {
				end := blockEnd(lines, i)
				lines = slices.Delete(lines, i, end)
				orphans = append(orphans, block)
				i--
				continue
			}
		}
		depth = max(depth+nesting(words), 0)
		if depth == 0 && nesting(words) < 0 {
			block++
		}
	}
	if !changed {
		return corefile
	}
	for _, b := range orphans {
		if at, ok := kubernetes[b]; ok {
			lines[at] = withRoot(lines[at])
		}
	}
	return strings.Join(lines, "")
}

// code is a line's words without its comment.
func code(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	return strings.Fields(line)
}

func nesting(words []string) int {
	n := 0
	for _, w := range words {
		switch w {
		case "{":
			n++
		case "}":
			n--
		}
	}
	return n
}

// forwards says whether a line sends questions to the host's nameservers.
func forwards(words []string) bool {
	const from = 2 // the upstreams stand behind the plugin and its zone
	return len(words) > from && (words[0] == "forward" || words[0] == "proxy") &&
		slices.Contains(words[from:], hostResolver) && nesting(words) >= 0
}

// blockEnd is the line behind what begins at line i: the next one, or that
// behind its block.
func blockEnd(lines []string, i int) int {
	depth := 0
	for ; i < len(lines); i++ {
		if depth += nesting(code(lines[i])); depth <= 0 {
			return i + 1
		}
	}
	return i
}

// withoutWord takes a word out of a line.
func withoutWord(line, word string) string {
	words := slices.DeleteFunc(code(line), func(w string) bool { return w == word })
	text := line[:len(line)-len(strings.TrimLeft(line, " \t"))] + strings.Join(words, " ")
	if _, comment, ok := strings.Cut(line, "#"); ok {
		return text + " #" + comment
	}
	return text + "\n"
}

// withRoot adds the root to the zones of kubernetes. Without any it has those of
// its server, which forwarded the root.
func withRoot(line string) string {
	words := code(line)
	zones := words[1:]
	if n := len(zones); n > 0 && zones[n-1] == "{" {
		zones = zones[:n-1]
	}
	if len(zones) == 0 || slices.Contains(zones, ".") {
		return line
	}
	last := zones[len(zones)-1]
	at := strings.LastIndex(strings.SplitN(line, "#", 2)[0], last) + len(last)
	return line[:at] + " ." + line[at:]
}

// reachable lists the nameservers of resolv.conf(5) that a pod can ask; those of
// the host's own loopback it cannot, and for the pod of CoreDNS they are itself.
// all holds them as well.
func reachable(resolv string) (servers, all []string) {
	for line := range strings.Lines(resolv) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		all = append(all, words[1])
		a, err := netip.ParseAddr(words[1])
		if err == nil && !a.IsLoopback() && !a.IsUnspecified() {
			servers = append(servers, words[1])
		}
	}
	return servers, all
}
