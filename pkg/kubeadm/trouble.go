package kubeadm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
)

// preflightLine is how kubeadm reports a check that failed.
var preflightLine = regexp.MustCompile(`\[ERROR ([^\]]+)\]: (.*)`)

// complaint is one check of kubeadm that failed.
type complaint struct{ check, text string }

// complaints reads the checks that failed out of what kubeadm printed.
func complaints(output string) []complaint {
	var list []complaint
	for line := range strings.Lines(output) {
		if m := preflightLine.FindStringSubmatch(line); m != nil {
			list = append(list, complaint{m[1], strings.TrimSpace(m[2])})
		}
	}
	return list
}

// hint is the command that fixes a check that failed; "" where none is known.
func (c complaint) hint(h *host.Host, runtime cri.About) string {
	service := strings.ToLower(strings.TrimPrefix(c.check, "Service-"))
	for _, m := range []struct{ check, command string }{
		{"NumCPU", "give the host at least 2 CPUs"},
		{"Mem", "give the host at least 1700 MB of memory"},
		{"Swap", "swapoff -a"},
		{"FileContent--proc-sys-net-bridge", "modprobe br_netfilter && sysctl -p /etc/sysctl.d/kubernetes.conf"},
		{"FileContent--proc-sys-net-ipv4", "sysctl -p /etc/sysctl.d/kubernetes.conf"},
		{"Port-", "ss -lntp shows which program listens there; stop it"},
		{"Service-", "systemctl enable " + service + " && systemctl start " + service},
		{"CRI", "systemctl restart " + runtime.Service + "; then: journalctl -u " + runtime.Service + " -n 50"},
		{"ImagePull", "./install load brings the images back from the archive"},
		{"KubeletVersion", "kubelet and kubeadm must come from one archive: kubelet --version; kubeadm version --output=short"},
		{"FileAvailable-", "left by an earlier cluster; if it is not wanted: kubeadm reset -f"},
		{"DirAvailable-", "left by an earlier cluster; if it is not wanted: kubeadm reset -f"},
		{"FileExisting-", software.InstallHint(h, strings.TrimPrefix(c.check, "FileExisting-"))},
		{"Hostname", "give the host a name in /etc/hosts"},
		{"IsPrivilegedUser", "run it as root"},
		{"SystemVerification", "uname -r and " + runtime.Show + " show what kubeadm refuses"},
	} {
		if strings.HasPrefix(c.check, m.check) {
			return m.command
		}
	}
	return ""
}

// otherCA is what kubeadm says where the ticket does not pin the cluster's CA.
const otherCA = "none of the public keys"

// symptom is other output of kubeadm, with its meaning.
type symptom struct{ said, means, hint string }

func symptoms(runtime cri.About) []symptom {
	kubelet := "journalctl -u kubelet -n 50"
	if runtime.Containers != "" {
		kubelet += "; " + runtime.Containers + " shows which container exits"
	}
	const memberList = "kubectl -n kube-system exec etcd-NAME -- etcdctl --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/peer.crt --key /etc/kubernetes/pki/etcd/peer.key member list"
	const renew = "on the master: ./install ticket, and carry the new join.yaml here"
	return []symptom{
		{otherCA, "the API server belongs to another cluster than the ticket", renew},
		{"Peer URLs already exists", "etcd still has this host as a member", "on a working master: " + memberList + "; then the same with member remove ID"},
		{"invalid for this cluster or it has expired", "the ticket's token is no longer valid", renew},
		{"abort connecting to API servers", "the API server did not accept the ticket", renew},
		{"certificate has expired or is not yet valid", "the clocks of this host and of the master differ", "date, here and on the master; chronyc makestep"},
		{"already exists in the cluster", "the cluster already has a Ready node of this name", "on the master: kubectl delete node NAME, or give this host another name: --hostname NAME"},
		{`Secret "kubeadm-certs" was not found`, "the control plane's keys are no longer in the cluster: they expire after two hours", "on the master: ./install ticket --control-plane"},
		{"couldn't initialize a Kubernetes cluster", "the control plane did not come up", kubelet},
		{"phase kubelet-start", "the kubelet did not start in time", kubelet},
		{"[kubelet-check]", "the kubelet does not run", "journalctl -u kubelet -n 50"},
	}
}

// explain turns kubeadm's output into a message with a hint and without secrets. An
// error that is not a failed program, or nil, is returned unchanged.
func (o *Options) explain(h *host.Host, what string, err error, secrets ...string) error {
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	failed = cleaned(failed, secrets)
	output := failed.Stdout + "\n" + failed.Stderr
	if list := complaints(output); len(list) > 0 {
		var texts, fixes []string
		for _, c := range list {
			texts = append(texts, c.text+" ("+c.check+")")
			if m := c.hint(h, o.Runtime); m != "" {
				fixes = append(fixes, m)
			}
		}
		err := fmt.Errorf("kubeadm refuses to %s: %s", what, strings.Join(texts, "; "))
		if len(fixes) == 0 {
			return err
		}
		return hint.With(err, "%s", strings.Join(fixes, "; "))
	}
	for _, s := range symptoms(o.Runtime) {
		if strings.Contains(output, s.said) {
			err := fmt.Errorf("kubeadm cannot %s: %s: %w", what, s.means, failed)
			if s.said == otherCA {
				err = &untrusted{err}
			}
			return hint.With(err, "%s", s.hint)
		}
	}
	return hint.With(fmt.Errorf("kubeadm cannot %s: %w", what, failed), "journalctl -u kubelet -n 50; then the same command again")
}

// cleaned is e without the secrets, in case a program repeats them, and without
// kubeadm's uninformative lines.
func cleaned(e *host.CommandError, secrets []string) *host.CommandError {
	clean := func(text string) string {
		for _, s := range secrets {
			if s != "" {
				text = strings.ReplaceAll(text, s, "(secret)")
			}
		}
		var b strings.Builder
		for line := range strings.Lines(text) {
			if !chatter.MatchString(line) {
				b.WriteString(line)
			}
		}
		return strings.TrimSpace(b.String())
	}
	c := *e
	c.Stdout, c.Stderr = clean(c.Stdout), clean(c.Stderr)
	return &c
}

// chatter are klog's warnings, and the advice to be more verbose.
var chatter = regexp.MustCompile(`^([WI]\d{4} |To see the stack trace of this error)`)
