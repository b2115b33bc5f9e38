package smoke

import (
	"context"
	"fmt"
	"strings"
)

const (
	// proxyStatus is where kube-proxy of this host tells its mode; kubeadm leaves it
	// at that address.
	proxyStatus = "127.0.0.1:10249"
	ipvs        = "ipvs"
	ipvsFile    = "/proc/net/ip_vs" // there where the kernel has it
	mostLog     = 64 << 10
)

// checkProxy compares the mode that kube-proxy works in with the one that was
// asked for: it falls back from ipvs to iptables without a word. The other nodes'
// tell in the beginning of their logs.
func (s *session) checkProxy(ctx context.Context) Check {
	mode := ""
	client := s.client(proxyStatus)
	var last error
	s.until(ctx, "proxy", shortWait, func(ctx context.Context) (bool, string) {
		body, err := client.Get(ctx, proxyStatus, "/proxyMode")
		if last = plain(err); last != nil {
			return false, last.Error()
		}
		mode = strings.TrimSpace(string(body))
		return true, ""
	})
	if last != nil {
		return bad("kubectl --namespace=kube-system get pods --selector=k8s-app=kube-proxy --output=wide",
			"kube-proxy of this host does not tell its mode at %s: %v", proxyStatus, last)
	}
	modes := map[string]string{}
	if !s.own {
		var err error
		if modes, err = s.proxyLogs(ctx); err != nil {
			return because(err)
		}
	}
	if s.ProxyMode == "" {
		return good("kube-proxy works in mode %s", mode)
	}
	able, err := s.h.Exists(ipvsFile)
	if err != nil {
		return because(err)
	}
	const anew = "kubectl --namespace=kube-system delete pods --selector=k8s-app=kube-proxy"
	if s.ProxyMode == ipvs && mode != ipvs && !able {
		return doubtful("another kernel, such as CentOS's own, has it", "the kernel of this host has no ip_vs: kube-proxy works in mode %s", mode)
	}
	var troubles []trouble
	if mode != s.ProxyMode {
		fix := anew
		if s.ProxyMode == ipvs {
			fix = "modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh, then " + anew
		}
		troubles = append(troubles, trouble{fmt.Sprintf("kube-proxy of this host works in mode %s, not %s", mode, s.ProxyMode), fix})
	}
	for _, n := range s.nodes {
		name := n.Metadata.Name
		if m, told := modes[name]; told && m != s.ProxyMode && name != s.Node {
			troubles = append(troubles, trouble{fmt.Sprintf("kube-proxy of %s works in mode %s, not %s", name, m, s.ProxyMode),
				fmt.Sprintf("on %s: ./install --role node loads the modules; then %s", name, anew)})
		}
	}
	return or(troubles, good("kube-proxy works in mode %s", mode))
}

// proxyLogs reads the modes of all kube-proxies, by node, out of what they wrote
// at their start: "Using ipvs Proxier." One that has turned its log over has no
// entry.
func (s *session) proxyLogs(ctx context.Context) (map[string]string, error) {
	var list struct{ Items []pod }
	if _, err := s.k.Get(ctx, s.h, &list, nil, "pods", "--namespace=kube-system", "--selector=k8s-app=kube-proxy"); err != nil {
		return nil, err
	}
	modes := map[string]string{}
	for _, p := range list.Items {
		log, err := s.k.Logs(ctx, s.h, p.Metadata.Namespace, p.Metadata.Name, mostLog)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if mode := usedMode(string(log)); err == nil && mode != "" {
			modes[p.Spec.NodeName] = mode
		}
	}
	return modes, nil
}

// usedMode finds the mode in a log of kube-proxy.
func usedMode(log string) string {
	const before, behind = "Using ", " Proxier"
	for line := range strings.Lines(log) {
		_, rest, ok := strings.Cut(line, before)
		if mode, _, found := strings.Cut(rest, behind); ok && found && !strings.Contains(mode, " ") {
			return mode
		}
	}
	return ""
}
