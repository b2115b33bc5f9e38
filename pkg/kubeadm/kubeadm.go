// Package kubeadm makes a host a part of a cluster with kubeadm: it renders the
// configuration that fits the bundle's Kubernetes, initialises or joins,
// distinguishes a cluster that is down from an unfinished one, writes the ticket for
// the other hosts, and undoes everything.
//
// An install record below /var/lib/kubecrate, written before kubeadm runs, says what
// was begun and what was completed. Nothing outside this record is ever reset.
package kubeadm

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Options say what a host is to be in the cluster.
type Options struct {
	Version     string            // of the bundle's Kubernetes, "v1.17.4"
	Node        string            // what the host is called in the cluster: its hostname
	Address     netip.Addr        // of this host, as the others reach it
	Socket      string            // of the container runtime: a path
	Runtime     cri.About         // what is known of it
	Cluster     *manifest.Cluster // what the hosts become together
	Repository  string            // of the bundle's images, see Repository
	Images      []string          // names of the bundle's images; without any, what kubeadm wants is not compared
	Schedulable bool              // the control plane runs pods too
	Given       *manifest.Ticket  // that an identity brought before the cluster began; nil without one
	Networks    cni.Networks      // reset removes what any of them leaves; nil is all of this version
	Runtimes    cri.Runtimes      // the same of them
	Limits      Limits
	Dialer      clusterhttp.Dialer // reaches the API server; nil is the host's own network
	Progress    progress.Func      // receives what is waited for
}

// Limits are timeouts; 0 is the default in the comment.
type Limits struct {
	API     time.Duration // the API server of a cluster that is there: 10 min
	Master  time.Duration // a master that lets this host join: as API
	Boot    time.Duration // the same where it may never come up: 3 min
	Process time.Duration // a kubeadm that an earlier run left running: 15 min
	Ready   time.Duration // a node to become Ready: 5 min
	TakeUp  time.Duration // a kubelet to use a new configuration of the network, see strays: 10 s
	Restart time.Duration // restarted pods to have an address: 1 min
	Poll    time.Duration // polling interval: 2 s
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&l.API, 10*time.Minute)
	set(&l.Master, l.API)
	set(&l.Boot, 3*time.Minute)
	set(&l.Process, 15*time.Minute)
	set(&l.Ready, 5*time.Minute)
	set(&l.TakeUp, 10*time.Second)
	set(&l.Restart, time.Minute)
	set(&l.Poll, 2*time.Second)
	return l
}

// Where kubeadm, the kubelet and etcd keep their files.
const (
	etcDir        = "/etc/kubernetes"
	pkiDir        = etcDir + "/pki"
	manifestsDir  = etcDir + "/manifests"
	caFile        = pkiDir + "/ca.crt"
	etcdDir       = "/var/lib/etcd"
	etcdMember    = etcdDir + "/member"
	kubeletDir    = "/var/lib/kubelet"
	kubeletConfig = kubeletDir + "/config.yaml"
	kubeletConf   = etcDir + "/kubelet.conf"
	bootstrapConf = etcDir + "/bootstrap-kubelet.conf"
	cniDir        = cni.ConfigDir
	kubeletUnit   = "kubelet.service"

	// AdminConf is the kubeconfig of the cluster's administrator, on a master.
	AdminConf = etcDir + "/admin.conf"
	// TicketFile is where a master keeps the ticket that it wrote last.
	TicketFile = step.Dir + "/join.yaml"
)

// What this package keeps beside the journal. Those that hold a secret exist
// only while kubeadm reads them.
const (
	initConfigFile   = step.Dir + "/kubeadm-init.yaml"
	givenConfigFile  = step.Dir + "/kubeadm-given.yaml"  // secret
	joinConfigFile   = step.Dir + "/kubeadm-join.yaml"   // secret
	ticketConfigFile = step.Dir + "/kubeadm-ticket.yaml" // secret
)

const (
	apiPort    = 6443
	secretMode = 0o600
)

// secretFiles lists the files that must be removed after use.
func secretFiles() []string { return []string{givenConfigFile, joinConfigFile, ticketConfigFile} }

// note reports a line for people.
func (o *Options) note(stage, format string, args ...any) {
	o.Progress.Report(progress.Event{Kind: progress.Note, Stage: stage, Text: fmt.Sprintf(format, args...)})
}

// during reports periodically that what is still running, while f runs.
func (o *Options) during(ctx context.Context, stage, what string, f func() error) error {
	const every = 20 * time.Second
	ctx, done := context.WithCancel(ctx)
	stopped := make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(stopped)
		for sleep(ctx, every) == nil {
			o.note(stage, "%s: %s so far", what, time.Since(begun).Round(time.Second))
		}
	}()
	defer func() { done(); <-stopped }()
	return f()
}

// sleep waits for d, or returns the cause for which ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
