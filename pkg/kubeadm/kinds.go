package kubeadm

import (
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Kinds are the kinds of this package's steps. report, which may be nil, hears
// what the undoing waits for and what stays. What init and join began is in the
// mark beside the journal, which names the socket, the node and the network.
func Kinds(report progress.Func) step.Kinds {
	o := Options{Progress: report}
	return step.Kinds{
		step.Plain(kubelet{}), step.Plain(authorityStep{}), step.Plain(initStep{o}), step.Plain(joinStep{o: JoinOptions{Options: o}}),
		step.Plain(kubeconfigStep{report: report}), step.Plain(readyStep{}), step.Plain(retireStep{}), step.Plain(revokeStep{}),
		step.With(ticketName, func(p ticketParams) (step.Step, error) {
			return Ticket(TicketOptions{Options: o, Stick: p.Stick}), nil
		}),
	}
}
