package smoke

import (
	"context"
	"fmt"
	"strings"
)

const (
	// proxyStatus is where this host's kube-proxy reports its mode; kubeadm keeps this
	// default address.
	proxyStatus = "127.0.0.1:10249"
	ipvs        = "ipvs"
	ipvsFile    = "/proc/net/ip_vs" // exists if the kernel supports it
	mostLog     = 64 << 10
)

// checkProxy compares the mode of kube-proxy with the configured one: it silently
// falls back from ipvs to iptables. On other nodes the mode is read from the start of
// the log.
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
			"cannot read the mode of this host's kube-proxy from %s: %v", proxyStatus, last)
	}
	modes := map[string]string{}
	if !s.own {
		var err error
		if modes, err = s.proxyLogs(ctx); err != nil {
			return because(err)
		}
	}
	if s.ProxyMode == "" {
		return good("kube-proxy uses mode %s", mode)
	}
	able, err := s.h.Exists(ipvsFile)
	if err != nil {
		return because(err)
	}
	const restart = "kubectl --namespace=kube-system delete pods --selector=k8s-app=kube-proxy"
	if s.ProxyMode == ipvs && mode != ipvs && !able {
		return doubtful("boot a kernel with ip_vs, such as CentOS's own", "this host's kernel has no ip_vs: kube-proxy uses mode %s", mode)
	}
	var troubles []trouble
	if mode != s.ProxyMode {
		fix := restart
		if s.ProxyMode == ipvs {
			fix = "modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh, then " + restart
		}
		troubles = append(troubles, trouble{fmt.Sprintf("kube-proxy on this host uses mode %s, not %s", mode, s.ProxyMode), fix})
	}
	for _, n := range s.nodes {
		name := n.Metadata.Name
		if m, known := modes[name]; known && m != s.ProxyMode && name != s.Node {
			troubles = append(troubles, trouble{fmt.Sprintf("kube-proxy on %s uses mode %s, not %s", name, m, s.ProxyMode),
				fmt.Sprintf("on %s, load the modules: ./install --role node; then %s", name, restart)})
		}
	}
	return or(troubles, good("kube-proxy uses mode %s", mode))
}

// proxyLogs reads the mode of every kube-proxy, by node, from the start of its log:
// "Using ipvs Proxier." A pod whose log was rotated has no entry.
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
	const prefix, suffix = "Using ", " Proxier"
	for line := range strings.Lines(log) {
		_, rest, ok := strings.Cut(line, prefix)
		if mode, _, found := strings.Cut(rest, suffix); ok && found && !strings.Contains(mode, " ") {
			return mode
		}
	}
	return ""
}
