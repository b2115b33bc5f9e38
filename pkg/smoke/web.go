package smoke

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is an address of the web server and what does not work where it does
// not answer.
type target struct{ name, address, hint string }

const (
	proxyLogs = "kubectl --namespace=kube-system logs --selector=k8s-app=kube-proxy"
	// networkPods is what helps where nothing is known of the network.
	networkPods = "kubectl --namespace=kube-system get pods --output=wide; the network's pod on each node has to run"
)

// checkWeb asks the web server from this host: at every pod, at its service and
// at every node.
func (s *session) checkWeb(ctx context.Context) Check {
	if len(s.pods) == 0 {
		return skip("no pod of the test runs")
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
		targets = append(targets, target{"the node port of " + name, hostPort(n.address(), nodePort),
			fmt.Sprintf("on %s: iptables -S INPUT; iptables -S FORWARD; %s", name, proxyLogs)})
	}
	problems := map[string]error{}
	s.until(ctx, "web", shortWait, func(ctx context.Context) (bool, string) {
		first := ""
		for _, t := range targets {
			if problems[t.name] = s.fetch(ctx, t.address); problems[t.name] != nil && first == "" {
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
	return or(troubles, good("%s, the service %s and port %d of %s answer",
		count(len(s.pods), "pod", "pods"), s.service.Spec.ClusterIP, nodePort, count(len(s.nodes), "node", "nodes")))
}

func (s *session) networkHint() string { return cmp.Or(s.Networks.Find(s.Network).Hint, networkPods) }

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func (s *session) fetch(ctx context.Context, address string) error {
	_, err := get(ctx, s.Dialer, address, "/")
	return err
}

const (
	dialTime = 5 * time.Second
	mostBody = 64 << 10
)

// get asks an HTTP server and returns its answer's body, 64 KiB at most; any
// status but 200 is an error. It is HTTP/1.0 by hand (RFC 1945), for which this
// program need not hold an HTTP client.
func get(ctx context.Context, d Dialer, address, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, plain(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was promised to arrive
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, address); err != nil {
		return nil, plain(err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, mostBody))
	if err != nil {
		return nil, plain(err)
	}
	return parseAnswer(answer)
}

// plain leaves out of a network error what stands beside it anyway.
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

// parseAnswer takes an HTTP/1 answer apart.
func parseAnswer(answer []byte) (body []byte, err error) {
	line, _, _ := bytes.Cut(answer, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
		return nil, fmt.Errorf("it answers %q, which is no HTTP", line[:min(len(line), 60)])
	}
	if words[1] != "200" {
		return nil, fmt.Errorf("it answers %s", strings.Join(words[1:], " "))
	}
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if _, body, found := bytes.Cut(answer, []byte(end)); found {
			return body, nil
		}
	}
	return nil, nil
}

// checkNetwork asks, within every pod, the pod on the next node: each node is
// asked and asks.
func (s *session) checkNetwork(ctx context.Context) Check {
	if len(s.pods) < 2 {
		return skip("pods of the test run on %s", count(len(s.pods), "node", "nodes"))
	}
	var pairs []pair
	for i, p := range s.pods {
		to := s.pods[(i+1)%len(s.pods)]
		pairs = append(pairs, pair{p, fmt.Sprintf("the pod on %s", to.Spec.NodeName), "http://" + hostPort(to.Status.PodIP, webPort) + "/", s.networkHint()})
	}
	return or(s.inPods(ctx, "network", pairs), good("pods reach each other across %d nodes", len(s.pods)))
}

// pair is what a pod asks for.
type pair struct {
	from           pod
	name, url, end string
}

// inPods fetches in pods until all of it works, a minute at most.
func (s *session) inPods(ctx context.Context, check string, pairs []pair) []trouble {
	problems := make([]error, len(pairs))
	s.until(ctx, check, shortWait, func(ctx context.Context) (bool, string) {
		first := ""
		for i, p := range pairs {
			// No -T: one busybox in wide use crashes on it, and exec has a limit of its own.
			_, problems[i] = s.exec(ctx, p.from, "wget", "-q", "-O", "/dev/null", p.url)
			if problems[i] != nil && first == "" {
				first = fmt.Sprintf("the pod on %s does not reach %s", p.from.Spec.NodeName, p.name)
			}
		}
		return first == "", first
	})
	var troubles []trouble
	for i, err := range problems {
		if err != nil {
			troubles = append(troubles, trouble{fmt.Sprintf("the pod on %s does not reach %s at %s: %v", pairs[i].from.Spec.NodeName, pairs[i].name, pairs[i].url, short(err)), pairs[i].end})
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

// short is what a program said, without the command line that ran it.
func short(err error) string {
	said := slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "kubectl ") || strings.HasPrefix(line, "command terminated")
	})
	if len(said) == 0 {
		return err.Error()
	}
	return strings.Join(said, " ")
}
