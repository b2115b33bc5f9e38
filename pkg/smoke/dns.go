package smoke

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const dnsHint = "kubectl --namespace=kube-system logs --selector=k8s-app=kube-dns"

// checkDNS looks up a fully qualified name in every pod, and fetches from the
// service by its short name.
func (s *session) checkDNS(ctx context.Context) Check {
	if len(s.pods) == 0 {
		return skip("no test pod is running")
	}
	var api service
	if _, err := s.k.Get(ctx, s.h, &api, nil, "service", "kubernetes", "--namespace=default"); err != nil {
		return because(err)
	}
	name := "kubernetes.default.svc." + s.Domain
	problems := make([]string, len(s.pods))
	s.until(ctx, "dns", shortWait, func(ctx context.Context) (bool, string) {
		first := ""
		for i, p := range s.pods {
			out, err := s.exec(ctx, p, "nslookup", name)
			problems[i] = wrongAnswer(string(out), err, api.Spec.ClusterIP)
			if problems[i] != "" && first == "" {
				first = problems[i]
			}
		}
		return first == "", first
	})
	var troubles []trouble
	var pairs []pair
	for i, p := range s.pods {
		if problems[i] != "" {
			troubles = append(troubles, trouble{fmt.Sprintf("the pod on %s cannot resolve %s: %s", p.Spec.NodeName, name, problems[i]), dnsHint})
			continue
		}
		pairs = append(pairs, pair{p, "the service by its name", "http://" + webName + "." + namespace + "/", dnsHint})
	}
	troubles = append(troubles, s.inPods(ctx, "dns", pairs)...)
	return or(troubles, good("names resolve on %s", count(len(s.pods), "node", "nodes")))
}

// wrongAnswer returns what is wrong with the output of nslookup, "" if nothing is.
// The exit code is unreliable: busybox's is not 0 if a name has no IPv6 address.
func wrongAnswer(out string, err error, want string) string {
	found := lookedUp(out)
	switch a, perr := netip.ParseAddr(want); {
	case perr == nil && slices.Contains(found, a):
		return ""
	case len(found) > 0:
		return fmt.Sprintf("got %s, want %s", found[0], want)
	case err != nil:
		return short(err)
	}
	return strings.Join(strings.Fields(out), " ")
}

// lookedUp returns the addresses of the name in the output of nslookup: in busybox
// up to 1.29
//
//	Name:      kubernetes.default.svc.cluster.local
//	Address 1: 10.96.0.1 kubernetes.default.svc.cluster.local
//
// and later, as in bind's,
//
//	Name:	kubernetes.default.svc.cluster.local
//	Address: 10.96.0.1
//
// The address of the DNS server comes before.
func lookedUp(out string) []netip.Addr {
	var found []netip.Addr
	named := false
	for line := range strings.Lines(out) {
		named = named || strings.HasPrefix(line, "Name:")
		if !named || !strings.HasPrefix(line, "Address") {
			continue
		}
		for _, w := range strings.Fields(line)[1:] {
			if a, err := netip.ParseAddr(w); err == nil {
				found = append(found, a)
				break
			}
		}
	}
	return found
}
