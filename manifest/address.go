package manifest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParseNetwork reads the network of a cluster's pods or services: IPv4, /8 to /30,
// with addresses that a host may have.
func ParseNetwork(text string) (netip.Prefix, error) {
	const largest, smallest = 8, 30 // bits
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is not an IPv4 network: want ADDRESS/BITS, such as 10.244.0.0/16", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set: the network is %s", text, p.Masked())
	}
	if p.Bits() < largest || p.Bits() > smallest {
		return netip.Prefix{}, fmt.Errorf("%s is not between /%d and /%d", p, largest, smallest)
	}
	for _, r := range reserved() {
		if r.Overlaps(p) {
			return netip.Prefix{}, fmt.Errorf("%s cannot be a cluster network: %s is reserved", p, r)
		}
	}
	return p, nil
}

// reserved are the networks whose addresses no host has (RFC 6890): this network,
// loopback, link-local, multicast and everything above it.
func reserved() []netip.Prefix {
	v4 := func(a, b byte, bits int) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits) }
	return []netip.Prefix{v4(0, 0, 8), v4(127, 0, 8), v4(169, 254, 16), v4(224, 0, 3)}
}

// isUnicast reports whether a can be the address of a single host.
func isUnicast(a netip.Addr) bool {
	return !slices.ContainsFunc(reserved(), func(p netip.Prefix) bool { return p.Contains(a) })
}

func (f *findings) network(at path, text string) netip.Prefix {
	p, err := ParseNetwork(text)
	if err != nil {
		f.add(at, "%v", err)
	}
	return p
}

// endpoint checks HOST:PORT, or HOST alone.
func (f *findings) endpoint(at path, text string) {
	host, port := splitEndpoint(text)
	if !isReachable(host) || !isPort(port) {
		f.add(at, "%q is not an endpoint: want HOST or HOST:PORT", text)
	}
}

// isReachable reports whether other hosts can reach s: a name, or an address that a
// single host can have.
func isReachable(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4() && isUnicast(a)
	}
	return isHost(s) && !isNumber(s) && s != "localhost" && !strings.HasPrefix(s, "localhost.")
}

// isNumber reports whether resolvers parse a name as an address: its last label is
// a number, as in 10.1 or 123 (inet_aton(3)).
func isNumber(s string) bool {
	return strings.Trim(s[strings.LastIndexByte(s, '.')+1:], "0123456789") == ""
}

// isInterface reports whether the kernel accepts s as the name of a network
// interface and it is safe in every configuration file.
func isInterface(s string) bool {
	const longest = 15
	return s != "" && s != "." && s != ".." && len(s) <= longest &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/{}#!\"'`$;&|<>()*?[]\\", r) })
}

// EndpointPort is the default port of the control plane.
const EndpointPort = "6443"

// splitEndpoint splits HOST:PORT; the default port is EndpointPort.
func splitEndpoint(s string) (host, port string) {
	if host, port, ok := strings.Cut(s, ":"); ok {
		return host, port
	}
	return s, EndpointPort
}

// HostPort is an endpoint with its port, EndpointPort by default.
func HostPort(endpoint string) string {
	host, port := splitEndpoint(endpoint)
	return host + ":" + port
}

func isPort(s string) bool {
	const digits, bits = 10, 16
	n, err := strconv.ParseUint(s, digits, bits)
	return err == nil && n > 0 && strconv.FormatUint(n, digits) == s
}

// isHost reports whether s is an address or a lower-case RFC 1123 name.
func isHost(s string) bool {
	const most = 253
	return len(s) > 0 && len(s) <= most && !slices.ContainsFunc(strings.Split(s, "."), func(l string) bool { return !isLabel(l) })
}

func isLabel(s string) bool {
	const most = 63
	return len(s) > 0 && len(s) <= most && s[0] != '-' && s[len(s)-1] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
