package kubeadm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/host"
)

// condition is what is to be done about a host.
type condition int

const (
	nothing condition = iota // of a cluster is here: kubeadm may begin
	busy                     // a kubeadm of an earlier run is at work
	half                     // a try of ours did not come to its end
	unnoted                  // a try of ours came to its end, and only the note is missing
	down                     // what we made is whole, and does not answer now
	done                     // it is as it should be
	refused                  // this is not ours to touch
)

// state is what a look at the host gave, and in words.
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

// The commands that make room for a cluster.
const (
	hintForeign = "if that cluster is wanted, use another host; if nothing of it is wanted: kubeadm reset -f, then the same command again"
	hintOurs    = "./install reset, then the same command again"
)

// find is what init and join ask first. decided is false where the record tells of
// v and there is something to judge. given says that the CAs may be there before.
func (o *Options) find(h *host.Host, v verb, given bool) (f state, decided bool, err error) {
	p, err := working(h)
	if err != nil {
		return f, false, err
	}
	if p.pid != 0 {
		return state{is: busy, why: fmt.Sprintf("kubeadm %s of an earlier run is still at work (process %d) and is waited for", p.verb, p.pid)}, true, nil
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
		return refuse(hintForeign, "a cluster that install did not make left %s", f.leftovers.some()), true, nil
	case f.record.Verb != v:
		no := refuse(hintOurs, "this host took part in cluster %s at %s already, by kubeadm %s", f.record.Cluster, f.record.Endpoint, f.record.Verb)
		no.record = f.record
		return no, true, nil
	}
	return f, false, nil
}

// judge tells what is to be done on a host that is to be the first master.
func (s initStep) judge(ctx context.Context, h *host.Host) (state, error) {
	f, decided, err := s.o.find(h, verbInit, true)
	if err != nil || decided {
		return f, err
	}
	if f.record.Completed {
		if left, err := h.Exists(givenConfigFile); err != nil || left {
			f.is, f.why = unnoted, givenConfigFile+" holds a secret, and is removed"
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
		return refuse(hintForeign, "another cluster took the place of the one that install made: %s is another CA", caFile), nil
	}
	if missing := f.leftovers.lacks(append(staticPods(), AdminConf, etcdMember)...); len(missing) > 0 {
		return refuse(hintMissing(missing[0]), "the cluster that was made here lacks %s", strings.Join(missing, ", ")), nil
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
		return refuse("date, and where that is right: "+f.record.renewCommand()+", then systemctl restart kubelet",
			"the certificates of the cluster on this host are not valid at the time of its clock, %s", time.Now().Format(time.RFC3339)), nil
	case err != nil:
		f.is, f.why = down, "the cluster is made, but its API server does not answer: it is waited for"
	case !u.Active:
		f.is, f.why = down, "the cluster is made, but "+kubeletUnit+" does not run: it is started"
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

// hintMissing is how a file of a cluster that was made comes back.
func hintMissing(file string) string {
	const phase = "kubeadm init phase "
	switch file {
	case etcdMember:
		return "bring " + etcdDir + " back from a backup; without one the cluster is lost: " + hintOurs
	case AdminConf:
		return phase + "kubeconfig admin --config " + initConfigFile
	case staticPods()[0]:
		return phase + "etcd local --config " + initConfigFile
	}
	return phase + "control-plane all --config " + initConfigFile
}

// judgeBegun judges a try that nobody noted the end of.
func (s initStep) judgeBegun(ctx context.Context, h *host.Host, f state) (state, error) {
	f.is, f.why = half, "there is "+f.leftovers.some()
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
			return refuse("systemctl start kubelet, and the same command again when the API server answers; if nothing of that cluster is wanted: "+hintOurs,
				"a cluster was begun here at %s and used long after, but its API server does not answer", f.record.Begun.Format(time.RFC3339)), nil
		}
		return f, nil
	}
	missing, err := initialised(ctx, h, f.record.Node)
	if err != nil {
		return f, fmt.Errorf("cannot ask the API server: %w", err)
	}
	if missing == "" {
		f.is, f.why = unnoted, "kubeadm init came to its end, which is noted"
		return f, nil
	}
	others, err := otherNodes(ctx, h, AdminConf, f.record.Node)
	if err != nil {
		return f, fmt.Errorf("cannot ask the API server: %w", err)
	}
	if len(others) > 0 {
		return refuse("kubeadm init phase addon all --config "+initConfigFile, "kubeadm init did not come to its end, but %s joined: it lacks %s", strings.Join(others, ", "), missing), nil
	}
	f.why = "the API server lacks " + missing
	return f, nil
}

// firmly is healthy for a cluster that is judged by it: one that has all its
// parts is asked more than once, since an API server may just be busy.
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

// differences says where the cluster that is there is not the one asked for.
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
			list = append(list, fmt.Sprintf("the cluster was made with the %s %s, and keeps it: %s was asked for", d.what, d.is, d.asked))
		}
	}
	return list
}
