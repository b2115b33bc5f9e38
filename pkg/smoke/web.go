package smoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"kubecrate/pkg/clusterhttp"
)

// target is an address of the web server, and the hint if it does not answer.
type target struct{ name, address, hint string }

const (
	proxyLogs = "kubectl --namespace=kube-system logs --selector=k8s-app=kube-proxy"
	// networkPods is the hint for an unknown network.
	networkPods = "kubectl --namespace=kube-system get pods --output=wide; the network's pod on each node must be running"
)

// checkWeb fetches from the web server from this host: from every pod, the service and
// every node port.
func (s *session) checkWeb(ctx context.Context) Check {
	if len(s.pods) == 0 {
		return skip("no test pod is running")
	}
	var targets []target
	for _, p := range s.pods {
		targets = append(targets, target{"the pod on " + p.Spec.NodeName, hostPort(p.Status.PodIP, webPort), s.networkHint()})
	}
	nodePort := 0
	for _, p := range s.service.Spec.Ports {
		nodePort = p.NodePort
	}
	targets = append(targets, target{"the service", hostPort(s.service.Spec.ClusterIP, webPort), proxyLogs})
	for _, n := range s.nodes {
		name := n.Metadata.Name
		targets = append(targets, target{"the node port on " + name, hostPort(n.address(), nodePort),
			fmt.Sprintf("on %s: iptables -S INPUT; iptables -S FORWARD; %s", name, proxyLogs)})
	}
	addresses := make([]string, len(targets))
	for i, t := range targets {
		addresses[i] = t.address
	}
	client := s.client(addresses...)
	problems := map[string]error{}
	s.until(ctx, "web", shortWait, func(ctx context.Context) (bool, string) {
		first := ""
		for _, t := range targets {
			_, err := client.Get(ctx, t.address, "/")
			if problems[t.name] = plain(err); err != nil && first == "" {
				first = fmt.Sprintf("%s, %s: %v", t.name, t.address, problems[t.name])
			}
		}
		return first == "", first
	})
	var troubles []trouble
	for _, t := range targets {
		if err := problems[t.name]; err != nil {
			troubles = append(troubles, trouble{fmt.Sprintf("%s does not answer at %s: %v", t.name, t.address, err), t.hint})
		}
	}
	return or(troubles, good("%s, the service %s and port %d on %s answer",
		count(len(s.pods), "pod", "pods"), s.service.Spec.ClusterIP, nodePort, count(len(s.nodes), "node", "nodes")))
}

func (s *session) networkHint() string { return cmp.Or(s.Networks.Find(s.Network).Hint, networkPods) }

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// mostBody is in bytes; the page's content does not matter.
const mostBody = 64 << 10

// client returns a client that connects only to these addresses of the cluster.
func (s *session) client(addresses ...string) *clusterhttp.Client {
	return clusterhttp.New(clusterhttp.Options{Dialer: s.Dialer, MaxBody: mostBody}, addresses...)
}

// plain removes from a network error what the message says anyway.
func plain(err error) error {
	var call *os.SyscallError
	var op *net.OpError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// checkNetwork fetches, in every pod, from the pod on the next node, so that each
// node is source and destination once.
func (s *session) checkNetwork(ctx context.Context) Check {
	if len(s.pods) < 2 {
		return skip("test pods are running on %s only", count(len(s.pods), "node", "nodes"))
	}
	var pairs []pair
	for i, p := range s.pods {
		to := s.pods[(i+1)%len(s.pods)]
		pairs = append(pairs, pair{p, fmt.Sprintf("the pod on %s", to.Spec.NodeName), "http://" + hostPort(to.Status.PodIP, webPort) + "/", s.networkHint()})
	}
	return or(s.inPods(ctx, "network", pairs), good("pods reach each other across %d nodes", len(s.pods)))
}

// pair is a pod and the URL that it fetches.
type pair struct {
	from           pod
	name, url, end string
}

// inPods fetches in pods until everything works, for at most a minute.
func (s *session) inPods(ctx context.Context, check string, pairs []pair) []trouble {
	problems := make([]error, len(pairs))
	s.until(ctx, check, shortWait, func(ctx context.Context) (bool, string) {
		first := ""
		for i, p := range pairs {
			// No -T: a widely used busybox crashes on it, and exec has its own timeout.
			_, problems[i] = s.exec(ctx, p.from, "wget", "-q", "-O", "/dev/null", p.url)
			if problems[i] != nil && first == "" {
				first = fmt.Sprintf("the pod on %s cannot reach %s", p.from.Spec.NodeName, p.name)
			}
		}
		return first == "", first
	})
	var troubles []trouble
	for i, err := range problems {
		if err != nil {
			troubles = append(troubles, trouble{fmt.Sprintf("the pod on %s cannot reach %s at %s: %v", pairs[i].from.Spec.NodeName, pairs[i].name, pairs[i].url, short(err)), pairs[i].end})
		}
	}
	return troubles
}

// exec runs a program in a pod.
func (s *session) exec(ctx context.Context, p pod, argv ...string) ([]byte, error) {
	inner, cancel := context.WithTimeout(ctx, execTime)
	defer cancel()
	out, err := s.k.Exec(inner, s.h, p.Metadata.Namespace, p.Metadata.Name, argv...)
	if inner.Err() != nil && ctx.Err() == nil {
		return out, fmt.Errorf("no answer within %s", execTime)
	}
	return out, err
}

// short returns a program's error output without the command line.
func short(err error) string {
	said := slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "kubectl ") || strings.HasPrefix(line, "command terminated")
	})
	if len(said) == 0 {
		return err.Error()
	}
	return strings.Join(said, " ")
}
