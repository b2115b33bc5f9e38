// Package smoke proves that a cluster works: nodes and system pods, a pod on each
// node that is reached by every way, DNS, the mode of kube-proxy, and that no
// image came from anywhere. What it makes for that lies in a namespace of its own
// and is removed again.
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

// Options say what is expected of the cluster. What is left out is not compared.
type Options struct {
	// Kubeconfig is a path; "" is the administrator's where this host has it, else
	// the kubelet's own, with which only this host's node can be seen.
	Kubeconfig string
	Node       string       // this host's
	Nodes      []string     // all that the cluster should have
	Version    string       // of Kubernetes, "v1.17.4"
	Image      string       // of a web server: nginx with busybox's nslookup and wget
	Images     []string     // of the bundle: that another was pulled is only a warning
	ProxyMode  string       // that was asked for
	PodCIDR    netip.Prefix // pods have their addresses from it
	Domain     string       // of the cluster's DNS, "" for cluster.local
	Network    string       // the cluster's, one of Networks
	Networks   cni.Networks // whose pods belong to the system
	// Wait is how long is waited for nodes, for the system's pods and for those of
	// the test, each; 0 is five minutes.
	Wait   time.Duration
	Dialer clusterhttp.Dialer // nil is the host's own network
}

const (
	stage        = "smoke"
	defaultImage = "nginx:1.14-alpine"
	defaultWait  = 5 * time.Minute
	shortWait    = time.Minute      // for what follows at once where it works
	execTime     = 30 * time.Second // for a program in a pod
	removeTime   = 90 * time.Second
	pollEvery    = 2 * time.Second
	tellEvery    = 20 * time.Second // how often a wait says that it goes on
)

// session is one run.
type session struct {
	Options
	h       *host.Host
	k       kubectl.Client
	own     bool // only this node can be seen
	report  progress.Func
	nodes   []node // those that are Ready
	pods    []pod  // of the test, those that are Ready
	service service
	made    bool // something is to be removed
}

// begin chooses the kubeconfig and fills in what was left out.
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

// check is one thing that is asserted. What it says is worth nothing once ctx has
// ended.
type check struct {
	name string
	do   func(ctx context.Context) Check
}

// checks is the table of contents.
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

// Run checks the cluster and reports what it found; that a check failed is in
// the report and no error. The error is that nothing could be checked, or why
// ctx ended: what was made is removed even then.
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
			report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: c.name, Text: "stopped here"})
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

// until looks every now and then until it is done, limit has passed or ctx has
// ended, and says what is waited for.
func (s *session) until(ctx context.Context, name string, limit time.Duration, look func(ctx context.Context) (done bool, what string)) bool {
	began := time.Now()
	told, said := began, ""
	for {
		done, what := look(ctx)
		waited := time.Since(began)
		if done || ctx.Err() != nil || waited >= limit {
			return done
		}
		if what != said && waited >= pollEvery || time.Since(told) >= tellEvery {
			told, said = time.Now(), what
			s.report.Report(progress.Event{Kind: progress.Note, Stage: stage, Task: name,
				Text: fmt.Sprintf("waiting, %s of %s: %s", waited.Round(time.Second), limit, what)})
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
