package manifest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParseNetwork reads the network of a cluster's pods or services: IPv4, from /8
// to /30, and of addresses that may belong to a host.
func ParseNetwork(text string) (netip.Prefix, error) {
	const largest, smallest = 8, 30 // bits
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv4 network: want ADDRESS/BITS, such as 10.244.0.0/16", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is an address within a network: the network is %s", text, p.Masked())
	}
	if p.Bits() < largest || p.Bits() > smallest {
		return netip.Prefix{}, fmt.Errorf("%s is not between /%d and /%d", p, largest, smallest)
	}
	for _, r := range reserved() {
		if r.Overlaps(p) {
			return netip.Prefix{}, fmt.Errorf("%s cannot be a network of the cluster: %s is reserved", p, r)
		}
	}
	return p, nil
}

// reserved are the networks whose addresses no host has (RFC 6890): this network,
// loopback, link-local, multicast and what lies above it.
func reserved() []netip.Prefix {
	v4 := func(a, b byte, bits int) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits) }
	return []netip.Prefix{v4(0, 0, 8), v4(127, 0, 8), v4(169, 254, 16), v4(224, 0, 3)}
}

// isUnicast says that a can be the address of one host among others.
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
		f.add(at, "%q is no endpoint: want HOST or HOST:PORT", text)
	}
}

// isReachable says whether other hosts can reach s: by a name, or by an address
// that one host can have.
func isReachable(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4() && isUnicast(a)
	}
	return isHost(s) && !isNumber(s) && s != "localhost" && !strings.HasPrefix(s, "localhost.")
}

// isNumber says whether resolvers take a name for an address: its last label is a
// number, as in 10.1 or 123 (inet_aton(3)).
func isNumber(s string) bool {
	return strings.Trim(s[strings.LastIndexByte(s, '.')+1:], "0123456789") == ""
}

// isInterface says whether the kernel takes s for the name of a network interface,
// and no configuration file takes it for anything else.
func isInterface(s string) bool {
	const longest = 15
	return s != "" && s != "." && s != ".." && len(s) <= longest &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/{}#!\"'`$;&|<>()*?[]\\", r) })
}

// EndpointPort is the port of the control plane where none is said.
const EndpointPort = "6443"

// splitEndpoint cuts HOST:PORT; the port is EndpointPort where there is none.
func splitEndpoint(s string) (host, port string) {
	if host, port, ok := strings.Cut(s, ":"); ok {
		return host, port
	}
	return s, EndpointPort
}

// HostPort is an endpoint with its port, EndpointPort where it names none.
func HostPort(endpoint string) string {
	host, port := splitEndpoint(endpoint)
	return host + ":" + port
}

func isPort(s string) bool {
	const digits, bits = 10, 16
	n, err := strconv.ParseUint(s, digits, bits)
	return err == nil && n > 0 && strconv.FormatUint(n, digits) == s
}

// isHost says whether s is an address or a name of RFC 1123, in lower case.
func isHost(s string) bool {
	const most = 253
	return len(s) > 0 && len(s) <= most && !slices.ContainsFunc(strings.Split(s, "."), func(l string) bool { return !isLabel(l) })
}

func isLabel(s string) bool {
	const most = 63
	return len(s) > 0 && len(s) <= most && s[0] != '-' && s[len(s)-1] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
