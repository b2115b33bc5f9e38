package smoke

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

const dnsApp = "kube-dns" // of CoreDNS, in the label k8s-app

// checkSystem waits until the pods of Kubernetes and of the network are Ready.
func (s *session) checkSystem(ctx context.Context) Check {
	var all []pod
	var troubles []trouble
	var last error
	s.until(ctx, "system", s.Wait, func(ctx context.Context) (bool, string) {
		found, err := s.systemPods(ctx)
		if last = err; err != nil {
			return false, err.Error()
		}
		all, troubles = found, s.systemTroubles(found)
		if len(troubles) == 0 {
			return true, ""
		}
		return false, troubles[0].what
	})
	if last != nil {
		return because(last)
	}
	well := good("%s", count(len(all), "system pod is Ready", "system pods are Ready"))
	for _, p := range all {
		if n := p.restarts(); n > 0 {
			well.Details = append(well.Details, fmt.Sprintf("%s was restarted %s", &p, count(n, "time", "times")))
		}
	}
	return or(troubles, well)
}

// systemPods returns the pods in namespaces of Kubernetes and of networks, most of
// which are kube-* too, except those being deleted.
func (s *session) systemPods(ctx context.Context) ([]pod, error) {
	args := []string{"pods", "--all-namespaces"}
	if s.own {
		args = append(args, "--field-selector=spec.nodeName="+s.Node)
	}
	var list struct{ Items []pod }
	if _, err := s.k.Get(ctx, s.h, &list, nil, args...); err != nil {
		return nil, err
	}
	var pods []pod
	for _, p := range list.Items {
		ns := p.Metadata.Namespace
		if (strings.HasPrefix(ns, "kube-") || s.Networks.HasNamespace(ns)) && p.Metadata.DeletionTimestamp == "" {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

func (s *session) systemTroubles(all []pod) []trouble {
	var troubles []trouble
	dns := s.own
	for _, p := range all {
		dns = dns || p.Metadata.Labels["k8s-app"] == dnsApp
		if why := p.unready(); why != "" {
			troubles = append(troubles, trouble{fmt.Sprintf("%s is not Ready: %s", &p, why), s.podHint(&p, why)})
		} else if t, wrong := s.strayAddress(&p); wrong {
			troubles = append(troubles, t)
		}
	}
	if !dns {
		troubles = append(troubles, trouble{"there are no CoreDNS pods", "kubectl --namespace=kube-system describe deployment coredns"})
	}
	return troubles
}

// strayAddress reports a pod that was started when another network was configured.
func (s *session) strayAddress(p *pod) (trouble, bool) {
	a, err := netip.ParseAddr(p.Status.PodIP)
	if p.Spec.HostNetwork || !s.PodCIDR.IsValid() || err != nil || s.PodCIDR.Contains(a) {
		return trouble{}, false
	}
	return trouble{fmt.Sprintf("%s has the address %s, which is not in the pod network %s", p, a, s.PodCIDR),
		fmt.Sprintf("on %s, remove other networks from /etc/cni/net.d; then: kubectl --namespace=%s delete pod %s", p.Spec.NodeName, p.Metadata.Namespace, p.Metadata.Name)}, true
}

// podHint returns the hint for a pod that is not Ready.
func (s *session) podHint(p *pod, why string) string {
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(why, t) {
				return true
			}
		}
		return false
	}
	name := fmt.Sprintf("--namespace=%s %s", p.Metadata.Namespace, p.Metadata.Name)
	switch {
	case has("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "pull"):
		return fmt.Sprintf("on %s: ./install load", p.Spec.NodeName)
	case s.Networks.Misses(why), has("cni", "network plugin"):
		return fmt.Sprintf("kubectl --namespace=kube-system get pods --output=wide; the network's pod on %s must be running", p.Spec.NodeName)
	case has("Unschedulable", "Pending") || p.Spec.NodeName == "":
		return "kubectl describe pod " + name
	case has("exited"):
		return "kubectl logs --previous " + name
	}
	return "kubectl describe pod " + name + "; kubectl logs " + name
}
