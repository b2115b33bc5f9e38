package kubeadm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/host"
)

// condition says what a host needs.
type condition int

const (
	nothing condition = iota // of a cluster is on this host: kubeadm may begin
	busy                     // a kubeadm of an earlier run is still running
	half                     // an attempt of ours did not finish
	unnoted                  // an attempt of ours finished and was not recorded
	down                     // what we created is complete, but does not answer
	done                     // nothing to do
	refused                  // not ours to touch
)

// state is the condition of a host with its reason.
type state struct {
	is        condition
	why       string
	hint      string
	warnings  []string
	record    *record
	leftovers leftovers
}

func refuse(fix, format string, args ...any) state {
	return state{is: refused, why: fmt.Sprintf(format, args...), hint: fix}
}

// The commands that remove a cluster which is in the way.
const (
	hintForeign = "if that cluster is wanted, use another host; otherwise: kubeadm reset -f, then the same command again"
	hintOurs    = "./install reset, then the same command again"
)

// find is the part of judging that init and join share. decided is false if the
// record is of v and there is something to judge. given says that CAs may exist before.
func (o *Options) find(h *host.Host, v verb, given bool) (f state, decided bool, err error) {
	p, err := working(h)
	if err != nil {
		return f, false, err
	}
	if p.pid != 0 {
		return state{is: busy, why: fmt.Sprintf("wait for kubeadm %s of an earlier run (process %d)", p.verb, p.pid)}, true, nil
	}
	if f.record, err = readRecord(h); err != nil {
		return f, false, err
	}
	if f.leftovers, err = look(h); err != nil {
		return f, false, err
	}
	f.leftovers.claim(f.record, given)
	switch {
	case len(f.leftovers.made) == 0:
		f.is = nothing
		return f, true, nil
	case f.record == nil:
		return refuse(hintForeign, "a cluster that install did not create left %s", f.leftovers.some()), true, nil
	case f.record.Verb != v:
		no := refuse(hintOurs, "this host is already part of cluster %s at %s, by kubeadm %s", f.record.Cluster, f.record.Endpoint, f.record.Verb)
		no.record = f.record
		return no, true, nil
	}
	return f, false, nil
}

// judge determines the state of a host that is to be the first master.
func (s initStep) judge(ctx context.Context, h *host.Host) (state, error) {
	f, decided, err := s.o.find(h, verbInit, true)
	if err != nil || decided {
		return f, err
	}
	if f.record.Completed {
		if left, err := h.Exists(givenConfigFile); err != nil || left {
			f.is, f.why = unnoted, "remove "+givenConfigFile+", which holds a secret"
			return f, err
		}
		return s.judgeMade(ctx, h, f)
	}
	return s.judgeBegun(ctx, h, f)
}

// judgeMade judges a cluster that was completed once.
func (s initStep) judgeMade(ctx context.Context, h *host.Host, f state) (state, error) {
	hash, err := caHashOf(h)
	if err != nil {
		return f, err
	}
	if hash != "" && hash != f.record.CAHash {
		return refuse(hintForeign, "another cluster replaced the one that install created: %s is a different CA", caFile), nil
	}
	if missing := f.leftovers.lacks(append(staticPods(), AdminConf, etcdMember)...); len(missing) > 0 {
		return refuse(hintMissing(missing[0]), "the cluster on this host lacks %s", strings.Join(missing, ", ")), nil
	}
	f.warnings = s.o.differences(f.record)
	err = s.firmly(ctx, h, f)
	if ctx.Err() != nil {
		return f, context.Cause(ctx)
	}
	u, uerr := h.Unit(ctx, kubeletUnit)
	switch {
	case uerr != nil:
		return f, uerr
	case err != nil && strings.Contains(err.Error(), "certificate has expired or is not yet valid"):
		return refuse("check date; if it is right: "+f.record.renewCommand()+", then systemctl restart kubelet",
			"the cluster's certificates are not valid at this host's time, %s", time.Now().Format(time.RFC3339)), nil
	case err != nil:
		f.is, f.why = down, "wait for the API server, which does not answer"
	case !u.Active:
		f.is, f.why = down, "start "+kubeletUnit+", which does not run"
	default:
		f.is = done
	}
	return f, nil
}

// renewCommand renews certificates; kubeadm moved it in 1.20.
func (m *record) renewCommand() string {
	const moved = 20
	if r, err := parseRelease(m.Version); err == nil && r.minor < moved {
		return "kubeadm alpha certs renew all"
	}
	return "kubeadm certs renew all"
}

// hintMissing is the command that restores a missing file of a cluster.
func hintMissing(file string) string {
	const phase = "kubeadm init phase "
	switch file {
	case etcdMember:
		return "restore " + etcdDir + " from a backup; without one the cluster is lost: " + hintOurs
	case AdminConf:
		return phase + "kubeconfig admin --config " + initConfigFile
	case staticPods()[0]:
		return phase + "etcd local --config " + initConfigFile
	}
	return phase + "control-plane all --config " + initConfigFile
}

// judgeBegun judges an attempt without a recorded end.
func (s initStep) judgeBegun(ctx context.Context, h *host.Host, f state) (state, error) {
	f.is, f.why = half, "found "+f.leftovers.some()
	if !f.leftovers.has(AdminConf) {
		return f, nil
	}
	if err := s.firmly(ctx, h, f); err != nil {
		if ctx.Err() != nil {
			return f, context.Cause(ctx)
		}
		used, err := lived(h, f.record.Begun)
		if err != nil {
			return f, err
		}
		if used {
			return refuse("systemctl start kubelet, then the same command again; if that cluster is not wanted: "+hintOurs,
				"a cluster was started here at %s and used since, but its API server does not answer", f.record.Begun.Format(time.RFC3339)), nil
		}
		return f, nil
	}
	missing, err := initialised(ctx, h, f.record.Node)
	if err != nil {
		return f, fmt.Errorf("cannot ask the API server: %w", err)
	}
	if missing == "" {
		f.is, f.why = unnoted, "record that kubeadm init finished"
		return f, nil
	}
	others, err := otherNodes(ctx, h, AdminConf, f.record.Node)
	if err != nil {
		return f, fmt.Errorf("cannot ask the API server: %w", err)
	}
	if len(others) > 0 {
		return refuse("kubeadm init phase addon all --config "+initConfigFile, "kubeadm init did not finish, but %s joined: the cluster lacks %s", strings.Join(others, ", "), missing), nil
	}
	f.why = "the API server lacks " + missing
	return f, nil
}

// firmly is healthy, but asks a complete cluster several times, since an API server
// may just be busy.
func (s initStep) firmly(ctx context.Context, h *host.Host, f state) error {
	const times = 3
	var err error
	for i := range times {
		if err = healthy(ctx, h, AdminConf); err == nil || !f.leftovers.has(append(staticPods(), etcdMember)...) {
			return err
		}
		if i+1 < times {
			if err := sleep(ctx, s.o.Limits.withDefaults().Poll); err != nil {
				return err
			}
		}
	}
	return err
}

// differences lists how the existing cluster differs from the requested one.
func (o *Options) differences(m *record) []string {
	var list []string
	for _, d := range []struct{ what, is, asked string }{
		{"name", m.Cluster, o.Cluster.Name},
		{"endpoint", m.Endpoint, o.Endpoint()},
		{"pod network", m.PodCIDR, o.Cluster.PodCIDR},
		{"service network", m.ServiceCIDR, o.Cluster.ServiceCIDR},
		{"version", m.Version, o.Version},
		{"node name", m.Node, o.Node},
	} {
		if d.is != d.asked {
			list = append(list, fmt.Sprintf("the cluster has the %s %s and keeps it; requested: %s", d.what, d.is, d.asked))
		}
	}
	return list
}
