package smoke

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const dnsHint = "kubectl --namespace=kube-system logs --selector=k8s-app=kube-dns"

// checkDNS looks a name up in every pod, the way that programs write it out in
// full, and fetches from the service by the short one.
func (s *session) checkDNS(ctx context.Context) Check {
	if len(s.pods) == 0 {
		return skip("no pod of the test runs")
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
			troubles = append(troubles, trouble{fmt.Sprintf("in the pod on %s, %s is not found: %s", p.Spec.NodeName, name, problems[i]), dnsHint})
			continue
		}
		pairs = append(pairs, pair{p, "the service by its name", "http://" + webName + "." + namespace + "/", dnsHint})
	}
	troubles = append(troubles, s.inPods(ctx, "dns", pairs)...)
	return or(troubles, good("names are found on %s", count(len(s.pods), "node", "nodes")))
}

// wrongAnswer is what is wrong with an answer of nslookup, "" for nothing. Its
// exit code is not worth much: busybox's is not 0 where a name has no IPv6
// address.
func wrongAnswer(out string, err error, want string) string {
	found := lookedUp(out)
	switch a, perr := netip.ParseAddr(want); {
	case perr == nil && slices.Contains(found, a):
		return ""
	case len(found) > 0:
		return fmt.Sprintf("it is said to be %s, and is %s", found[0], want)
	case err != nil:
		return short(err)
	}
	return strings.Join(strings.Fields(out), " ")
}

// lookedUp are the addresses behind the name in what nslookup prints: in busybox
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
// Before stands the address of the server that was asked.
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
