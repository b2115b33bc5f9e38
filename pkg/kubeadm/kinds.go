package kubeadm

import (
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Kinds are the kinds of this package's steps. report, which may be nil, hears
// what the undoing waits for and what stays; networks and runtimes are those whose
// leavings are known. What init and join began is in the record beside the journal, which names
// the socket, the node and the pods' network.
func Kinds(report progress.Func, networks cni.Networks, runtimes cri.Runtimes) step.Kinds {
	o := Options{Progress: report, Networks: networks, Runtimes: runtimes}
	plain := step.Plain(kubelet{}, authorityStep{}, initStep{o}, joinStep{o: JoinOptions{Options: o}}, readyStep{}, retireStep{}, revokeStep{})
	plain = append(plain, step.Plain(kubeconfigStep{report: report}).Independent()...)
	return append(plain, ticketKind(report))
}
