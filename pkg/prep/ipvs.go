package prep

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// IPVS is the step that loads the ip_vs modules and connection tracking, now and at
// boot. A kernel without ip_vs is a warning: kube-proxy then falls back to iptables.
func IPVS() step.Step { return ipvs{} }

type ipvs struct{}

func (ipvs) Name() string { return "ipvs" }

// table returns the modules for the running kernel: connection tracking of IPv4 was
// a separate module before 4.19.
func (ipvs) table(h *host.Host) (modules, error) {
	tracking := module{"nf_conntrack", effect{path: "/proc/sys/net/netfilter/nf_conntrack_max"}}
	old, err := kernelBefore(h, 4, 19)
	if old {
		tracking = module{name: "nf_conntrack_ipv4"}
	}
	list := []module{{"ip_vs", effect{path: "/proc/net/ip_vs"}}}
	for _, scheduler := range []string{"ip_vs_rr", "ip_vs_wrr", "ip_vs_sh"} {
		list = append(list, module{name: scheduler})
	}
	return modules{
		name: "ipvs", file: "/etc/modules-load.d/ipvs.conf", modules: append(list, tracking),
		absent: func(st *step.Status, missing string) {
			st.Warn("the kernel has no %s: kube-proxy will use iptables instead of ipvs", missing)
		},
	}, err
}

func (s ipvs) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	m, err := s.table(h)
	if err != nil {
		return step.Status{}, err
	}
	return m.Check(ctx, h)
}

func (s ipvs) Apply(ctx context.Context, h *host.Host) error {
	m, err := s.table(h)
	if err != nil {
		return err
	}
	return m.Apply(ctx, h)
}

// kernelBefore reports whether the running kernel is older than major.minor.
func kernelBefore(h *host.Host, major, minor int) (bool, error) {
	const release = "/proc/sys/kernel/osrelease"
	text, err := h.Text(release)
	if err != nil {
		return false, err
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(text), ".")
	second, _, _ := strings.Cut(rest, ".")
	second, _, _ = strings.Cut(second, "-")
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil {
		return false, fmt.Errorf("cannot parse the kernel version: %s contains %q", release, text)
	}
	return a < major || a == major && b < minor, nil
}
