package smoke

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// checkNodes waits until every node is Ready. It does not wait for a node that is
// not in the cluster: it is not starting.
func (s *session) checkNodes(ctx context.Context) Check {
	var all []node
	var troubles []trouble
	var last error
	s.until(ctx, "nodes", s.Wait, func(ctx context.Context) (bool, string) {
		found, err := s.listNodes(ctx)
		if last = err; err != nil {
			return false, err.Error()
		}
		all, troubles = found, s.nodeTroubles(found)
		if len(troubles) == 0 {
			return true, ""
		}
		return false, troubles[0].what
	})
	if last != nil {
		return because(last)
	}
	troubles = append(troubles, s.absent(all)...)
	s.nodes = slices.DeleteFunc(slices.Clone(all), func(n node) bool { return n.unready() != "" })
	if s.Version != "" {
		troubles = append(troubles, s.versionTroubles(all)...)
	}
	versions := ""
	if s.Version != "" {
		versions = ", " + s.Version
	}
	well := good("%s Ready%s", count(len(all), "node is", "nodes are"), versions)
	if !s.own {
		well.Details = unlisted(s.Nodes, all)
	}
	return or(troubles, well)
}

// unlisted reports nodes that are not in the host list, if there is one: a host that
// was never removed from the cluster, or a typing error.
func unlisted(listed []string, all []node) []string {
	if len(listed) == 0 {
		return nil
	}
	var notes []string
	for _, n := range all {
		if !slices.Contains(listed, n.Metadata.Name) {
			notes = append(notes, n.Metadata.Name+" is in the cluster but not in its host list")
		}
	}
	return notes
}

func (s *session) listNodes(ctx context.Context) ([]node, error) {
	if s.own {
		var n node
		found, err := s.k.Get(ctx, s.h, &n, nil, "node", s.Node)
		if err != nil || !found {
			return nil, err
		}
		return []node{n}, nil
	}
	var list struct{ Items []node }
	_, err := s.k.Get(ctx, s.h, &list, nil, "nodes")
	return list.Items, err
}

// absent reports expected nodes that are not in the cluster.
func (s *session) absent(all []node) []trouble {
	if s.own {
		return nil
	}
	var troubles []trouble
	for _, name := range s.Nodes {
		if !slices.ContainsFunc(all, func(n node) bool { return n.Metadata.Name == name }) {
			troubles = append(troubles, trouble{fmt.Sprintf("%s is not in the cluster", name),
				fmt.Sprintf("on %s, with the stick: ./install, or, if it was installed, ./install status", name)})
		}
	}
	return troubles
}

// nodeTroubles reports nodes that are starting or have stopped.
func (s *session) nodeTroubles(all []node) []trouble {
	var troubles []trouble
	if s.own && len(all) == 0 {
		return []trouble{{fmt.Sprintf("%s is not in the cluster", s.Node), "join it: ./install --role node"}}
	}
	for _, n := range all {
		if why := n.unready(); why != "" {
			troubles = append(troubles, trouble{fmt.Sprintf("%s is not Ready: %s", n.Metadata.Name, why), nodeHint(n.Metadata.Name, why)})
		}
	}
	if len(all) == 0 && len(troubles) == 0 {
		troubles = append(troubles, trouble{"the cluster has no nodes", "./install --role master"})
	}
	return troubles
}

// versionTroubles reports kubelets of another version.
func (s *session) versionTroubles(all []node) []trouble {
	var troubles []trouble
	for _, n := range all {
		if v := n.Status.NodeInfo.KubeletVersion; v != s.Version {
			troubles = append(troubles, trouble{fmt.Sprintf("%s runs kubelet %s, the bundle has %s", n.Metadata.Name, v, s.Version),
				fmt.Sprintf("on %s: kubelet --version; systemctl restart kubelet", n.Metadata.Name)})
		}
	}
	return troubles
}

// nodeHint returns the hint for a node that is not Ready.
func nodeHint(name, why string) string {
	switch {
	case strings.Contains(why, "cni") || strings.Contains(why, "NetworkPlugin"):
		return fmt.Sprintf("on a master: kubectl --namespace=kube-system get pods --output=wide; the network's pod on %s must be running", name)
	case strings.Contains(why, "stopped posting"):
		return fmt.Sprintf("on %s: systemctl restart kubelet, and journalctl -u kubelet -n 50", name)
	}
	return fmt.Sprintf("on %s: journalctl -u kubelet -n 50", name)
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
