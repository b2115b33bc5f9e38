// Package smoke tests that a cluster works: nodes and system pods, a test pod on each
// node that is reached by every path, DNS, the mode of kube-proxy, and that no image
// was pulled. The test pods are created in a separate namespace and removed again.
package smoke

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/progress"
)

// Options say what is expected of the cluster. Empty fields are not checked.
type Options struct {
	// Kubeconfig is a path; "" is the administrator's if this host has it, else the
	// kubelet's, which can only read this host's node.
	Kubeconfig string
	Node       string       // this host's
	Nodes      []string     // that the cluster should have
	Version    string       // of Kubernetes, "v1.17.4"
	Image      string       // of a web server: nginx with busybox's nslookup and wget
	Images     []string     // of the bundle: a pull of any other is only a warning
	ProxyMode  string       // as configured
	PodCIDR    netip.Prefix // the pod network
	Domain     string       // of the cluster's DNS, "" for cluster.local
	Network    string       // the cluster's, one of Networks
	Networks   cni.Networks // whose pods belong to the system
	// Wait is the timeout for nodes, system pods and test pods, each; 0 is five minutes.
	Wait   time.Duration
	Dialer clusterhttp.Dialer // nil is the host's own network
}

const (
	stage        = "smoke"
	defaultImage = "nginx:1.14-alpine"
	defaultWait  = 5 * time.Minute
	shortWait    = time.Minute      // for checks that succeed at once in a working cluster
	execTime     = 30 * time.Second // for a program in a pod
	removeTime   = 90 * time.Second
	pollEvery    = 2 * time.Second
	noteEvery    = 20 * time.Second // how often a wait reports that it continues
)

// session is one run of the smoke test.
type session struct {
	Options
	h       *host.Host
	k       kubectl.Client
	own     bool // only this node can be read
	report  progress.Func
	nodes   []node // those that are Ready
	pods    []pod  // of the test, those that are Ready
	service service
	made    bool // test objects may exist and must be removed
}

// begin chooses the kubeconfig and fills in defaults.
func begin(h *host.Host, o Options, report progress.Func) (*session, error) {
	s := &session{Options: o, h: h, report: report}
	if s.Kubeconfig == "" {
		s.Kubeconfig = kubectl.Admin
		admin, err := h.Exists(kubectl.Admin)
		if err != nil {
			return nil, err
		}
		if !admin {
			s.Kubeconfig = kubectl.Kubelet
		}
	}
	s.own = s.Kubeconfig == kubectl.Kubelet
	s.k = kubectl.Client{Kubeconfig: s.Kubeconfig}
	s.Image = cmp.Or(s.Image, defaultImage)
	s.Domain = cmp.Or(s.Domain, "cluster.local")
	s.Wait = cmp.Or(s.Wait, defaultWait)
	return s, s.k.Usable(h)
}

// check is one check. Its result is meaningless once ctx has ended.
type check struct {
	name string
	do   func(ctx context.Context) Check
}

// checks lists the checks in order.
func (s *session) checks() []check {
	if s.own {
		return []check{{"nodes", s.checkNodes}, {"system", s.checkSystem}, {"proxy", s.checkProxy}}
	}
	return []check{
		{"nodes", s.checkNodes},
		{"system", s.checkSystem},
		{"pods", s.checkPods},
		{"web", s.checkWeb},
		{"network", s.checkNetwork},
		{"dns", s.checkDNS},
		{"proxy", s.checkProxy},
		{"pulls", s.checkPulls},
		{"cleanup", s.checkCleanup},
	}
}

// Run checks the cluster and reports what it found; a failed check is in the report
// and not an error. The error says why nothing could be checked, or why ctx ended:
// test objects are removed even then.
func Run(ctx context.Context, h *host.Host, o Options, report progress.Func) (*Report, error) {
	s, err := begin(h, o, report)
	if err != nil {
		return nil, fmt.Errorf("cannot test the cluster: %w", err)
	}
	defer s.abandon(ctx)
	r := &Report{}
	for _, c := range s.checks() {
		report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: c.name, Total: progress.Unsized})
		f := c.do(ctx)
		if ctx.Err() != nil {
			report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: c.name, Text: "interrupted"})
			return r, context.Cause(ctx)
		}
		f.Name = c.name
		r.Checks = append(r.Checks, f)
		s.tell(c.name, f)
	}
	return r, nil
}

func (s *session) tell(name string, f Check) {
	e := progress.Event{Kind: progress.Done, Stage: stage, Task: name, Text: f.Message}
	switch f.State {
	case Failed:
		e.Kind = progress.Failed
	case Skipped:
		e.Text = "skipped: " + f.Message
	case OK, Warning:
	}
	s.report.Report(e)
	if f.State == Warning {
		s.report.Report(progress.Event{Kind: progress.Warn, Task: name, Text: f.Message})
	}
}

// until calls look every pollEvery until it is done, limit has passed or ctx has
// ended, and reports what it is waiting for.
func (s *session) until(ctx context.Context, name string, limit time.Duration, look func(ctx context.Context) (done bool, what string)) bool {
	began := time.Now()
	told, said := began, ""
	for {
		done, what := look(ctx)
		waited := time.Since(began)
		if done || ctx.Err() != nil || waited >= limit {
			return done
		}
		if what != said && waited >= pollEvery || time.Since(told) >= noteEvery {
			told, said = time.Now(), what
			s.report.Report(progress.Event{Kind: progress.Note, Stage: stage, Task: name,
				Text: fmt.Sprintf("waiting (%s of %s): %s", waited.Round(time.Second), limit, what)})
		}
		if sleep(ctx, pollEvery) != nil {
			return false
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
