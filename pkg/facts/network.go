package facts

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kubecrate/pkg/host"
)

const classNet = "/sys/class/net"

func (f *Facts) readNetwork(ctx context.Context, h *host.Host) error {
	names, err := h.ReadDir(classNet)
	if err != nil {
		return err
	}
	out, err := output(ctx, h, "ip", "-o", "-4", "addr", "show")
	if err != nil {
		return err
	}
	addresses := parseAddresses(out)
	for _, name := range names {
		i := Interface{Name: name, Addresses: addresses[name]}
		if i.MAC, err = text(h, classNet+"/"+name+"/address"); err != nil {
			return err
		}
		if i.State, err = text(h, classNet+"/"+name+"/operstate"); err != nil {
			return err
		}
		i.MAC = strings.ToLower(i.MAC)
		if strings.Trim(i.MAC, "0:") == "" {
			i.MAC = ""
		}
		// bonding_masters is a file there, and no interface.
		if i.MAC != "" || i.State != "" || len(i.Addresses) > 0 {
			f.Interfaces = append(f.Interfaces, i)
		}
	}
	routes, err := text(h, "/proc/net/route")
	if err != nil {
		return err
	}
	f.Routes = parseRoutes(routes)
	resolv, err := text(h, "/etc/resolv.conf")
	f.Nameservers = parseResolv(resolv)
	return err
}

// parseAddresses reads what ip -o -4 addr show prints, one address a line; the
// iproute of EL7 knows no JSON. "2: eth0    inet 192.168.4.11/24 brd
// 192.168.4.255 scope global secondary eth0:1\   valid_lft forever ...".
func parseAddresses(text string) map[string][]Address {
	found := map[string][]Address{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, `\`)
		words := strings.Fields(line)
		const least = 4 // number, name, inet, address
		if len(words) < least || words[2] != "inet" {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(words[1], ":"), "@")
		a := Address{Secondary: slices.Contains(words[least:], "secondary")}
		var ok bool
		if a.Prefix, ok = parsePrefix(words[3]); !ok {
			continue
		}
		if i := slices.Index(words, "scope"); i > 0 && i+1 < len(words) {
			a.Scope = words[i+1]
		}
		found[name] = append(found[name], a)
	}
	return found
}

// parsePrefix reads ADDRESS/BITS, or the bare ADDRESS of a point-to-point link.
func parsePrefix(word string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(word); err == nil && p.Addr().Is4() {
		return p, true
	}
	a, err := netip.ParseAddr(word)
	if err != nil || !a.Is4() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// The flags of a route that count, from the kernel's uapi/linux/route.h.
const (
	routeUp     = 0x1
	routeReject = 0x200
)

// parseRoutes reads /proc/net/route: a head, then interface, destination,
// gateway, flags, three counters with the metric last, and the mask. Addresses
// are hexadecimal, the last byte first.
func parseRoutes(text string) []Route {
	var list []Route
	for line := range strings.Lines(text) {
		const fields = 8
		w := strings.Fields(line)
		if len(w) < fields {
			continue
		}
		destination, ok1 := hexAddr(w[1])
		gateway, ok2 := hexAddr(w[2])
		flags, err := strconv.ParseUint(w[3], 16, 32)
		metric, err2 := strconv.ParseInt(w[6], 10, 32)
		mask, ok3 := hexAddr(w[7])
		if !ok1 || !ok2 || !ok3 || err != nil || err2 != nil || flags&routeUp == 0 || flags&routeReject != 0 {
			continue
		}
		bits, ok := maskBits(mask)
		if !ok {
			continue
		}
		r := Route{Interface: w[0], Destination: netip.PrefixFrom(destination, bits).Masked(), Metric: int(metric)}
		if !gateway.IsUnspecified() {
			r.Gateway = gateway
		}
		list = append(list, r)
	}
	return list
}

// hexAddr reads an IPv4 address as the kernel of a little-endian machine prints
// it.
func hexAddr(word string) (netip.Addr, bool) {
	b, err := hex.DecodeString(word)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}), true
}

// maskBits is the length of a network mask without holes.
func maskBits(mask netip.Addr) (int, bool) {
	n, ended := 0, false
	for _, b := range mask.As4() {
		for bit := 7; bit >= 0; bit-- {
			set := b>>bit&1 == 1
			if set && ended {
				return 0, false
			}
			if set {
				n++
			}
			ended = !set
		}
	}
	return n, true
}

// parseResolv lists the nameservers of resolv.conf(5).
func parseResolv(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		if _, err := netip.ParseAddr(w[1]); err == nil {
			list = append(list, w[1])
		}
	}
	return list
}
