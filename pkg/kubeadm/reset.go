package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
)

// noPKI is a directory that does not exist: kubeadm reset cleans it in place of
// pki, where that holds CAs which were given.
const noPKI = "/var/lib/kubecrate/no-pki"

// tearDown undoes what kubeadm, and what it started, made on this host since m was
// begun, and what the network left in the kernel. The caller has made sure that none
// of it is wanted. It continues where something fails, may be repeated, and keeps
// the record.
func (o *Options) tearDown(ctx context.Context, h *host.Host, m *record) error {
	m.networks, m.runtimes = o.Networks, o.Runtimes
	if err := freeKubelet(ctx, h); err != nil {
		return fmt.Errorf("cannot undo kubeadm %s: %w", m.Verb, err)
	}
	if err := m.notePods(h); err != nil {
		return fmt.Errorf("cannot undo kubeadm %s: %w", m.Verb, err)
	}
	err := kubeadmReset(ctx, h, m)
	errs := []error{files(h, m)}
	if err != nil && ctx.Err() == nil {
		// It fails where it cannot remove the host from the cluster. Without the
		// credentials for that, it does not try.
		err = kubeadmReset(ctx, h, m)
	}
	errs = append(errs, err)
	for _, f := range []func(context.Context, *host.Host, *record) error{rules, links, sets, routes} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		errs = append(errs, f(ctx, h, m))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot undo kubeadm %s: %w", m.Verb, err)
	}
	return nil
}

// kubeadmReset runs kubeadm reset; a kubeadm that was removed since is not an error.
func kubeadmReset(ctx context.Context, h *host.Host, m *record) error {
	// Where /var/lib/kubelet is a file system of its own, kubeadm 1.17
	// would unmount that too; one that is in use stays.
	if dir, err := os.Open(h.Path(kubeletDir)); err == nil {
		defer func() { _ = dir.Close() }() // nothing was written
	}
	argv := []string{"kubeadm", "reset", "-f", "--cri-socket", m.Socket}
	if len(m.Given) > 0 {
		argv = append(argv, "--cert-dir", noPKI)
	}
	if err := hideAllocations(h, m); err != nil {
		return err
	}
	err := h.Change(ctx, host.Command(argv...), nil)
	if host.NotFound(err) {
		err = nil
	}
	return errors.Join(err, showAllocations(h))
}

// files removes what kubeadm reset leaves, or would have removed had it finished.
func files(h *host.Host, m *record) error {
	r, err := look(h)
	errs := []error{err}
	list := append(kubeconfigs(), r.made...)
	for _, f := range r.authority {
		if !slices.Contains(m.Given, f) {
			list = append(list, f)
		}
	}
	if len(m.Given) == 0 {
		list = append(list, pkiDir)
	}
	names, err := h.ReadDir(cniDir)
	errs = append(errs, err)
	for _, name := range names {
		if !slices.Contains(m.CNI, name) {
			list = append(list, path.Join(cniDir, name))
		}
	}
	for _, f := range append(list, secretFiles()...) {
		errs = append(errs, h.Clear(f))
	}
	errs = append(errs, clearNetwork(h, m), clearAllocations(h, m))
	for _, dir := range append(m.runtimes.KubeletDirs(), kubeletDir, etcdDir, "/var/run/kubernetes") {
		errs = append(errs, h.ClearDir(dir))
	}
	return errors.Join(errs...)
}

// rules takes the cluster's rules out of netfilter.
func rules(ctx context.Context, h *host.Host, m *record) error {
	return netfilter.Prune(ctx, h, m.ofCluster)
}

// proxyLink is the link that kube-proxy makes for ipvs.
const proxyLink = "kube-ipvs0"

// links removes network interfaces, and first kube-proxy's entries in ipvs, which
// nothing else on such a host uses.
func links(ctx context.Context, h *host.Host, m *record) error {
	names, err := h.ReadDir(linkDir)
	if err != nil {
		return err
	}
	bridges, err := madeBridges(h, m)
	if err != nil {
		return err
	}
	networks := m.installable()
	var errs []error
	for _, name := range names {
		link, made := networks.Link(name)
		switch {
		case name == proxyLink:
			if err := h.Change(ctx, host.Command("ipvsadm", "--clear"), nil); err != nil && !host.NotFound(err) {
				errs = append(errs, err)
			}
		case made:
			errs = append(errs, link.Remove(ctx, h, name, m.pods))
			continue
		case !slices.Contains(bridges, name):
			continue
		}
		errs = append(errs, cni.RemoveLink(ctx, h, name))
	}
	return errors.Join(errs...)
}

// sets removes kube-proxy's and the network's sets of addresses, once no rule names
// them.
func sets(ctx context.Context, h *host.Host, m *record) error {
	out, err := h.Query(ctx, "ipset", "list", "-n")
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return nil // without the program, or a kernel that has sets, there are none
	}
	networks := m.installable()
	var errs []error
	for name := range strings.FieldsSeq(string(out)) {
		if ours(name, networks, nil) || networks.HasSet(name) {
			errs = append(errs, h.Change(ctx, host.Command("ipset", "destroy", name), nil))
		}
	}
	return errors.Join(errs...)
}

// routes removes those into the pod network that go through other hosts.
func routes(ctx context.Context, h *host.Host, m *record) error {
	if !m.pods.IsValid() {
		return nil
	}
	out, err := h.Query(ctx, "ip", "route", "show", "root", m.pods.String())
	if host.NotFound(err) || len(strings.TrimSpace(string(out))) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return h.Change(ctx, host.Command("ip", "route", "flush", "root", m.pods.String()), nil)
}

// undo undoes what the record accounts for, if it is of v. It refuses if the cluster
// on this host is not the one that install created.
func undo(ctx context.Context, h *host.Host, o *Options, v verb) error {
	m, err := readRecord(h)
	if err != nil || m == nil || m.Verb != v {
		return err
	}
	if err := o.waitWorking(ctx, h, "reset"); err != nil {
		return err
	}
	now, err := caHashOf(h)
	if err != nil {
		return err
	}
	if m.CAHash != "" && now != "" && now != m.CAHash {
		return hint.With(fmt.Errorf("the cluster on this host is not the one that install created: %s is a different CA", caFile),
			"if that cluster is not wanted: kubeadm reset -f, then rm %s", recordFile)
	}
	if err := o.tearDown(ctx, h, m); err != nil {
		return err
	}
	if v == verbJoin {
		o.note("reset", "on a master: kubectl delete node %s", m.Node)
	}
	if err := removeEmpty(h, m); err != nil {
		return err
	}
	return h.State().Remove(recordFile, initConfigFile)
}

// directories are those that kubeadm, the kubelet and the network make on their
// way, the innermost first.
func (m *record) directories() []string {
	list := append(m.runtimes.KubeletDirs(), manifestsDir, etcDir, cniDir, path.Dir(cniDir), etcdDir, kubeletDir, "/var/lib/cni")
	for _, f := range m.installable().Folders() {
		if f.Stays == cni.StaysIfBefore {
			list = append(list, f.Path)
		}
	}
	return list
}

// removeEmpty removes the directories that did not exist before, if they are empty.
func removeEmpty(h *host.Host, m *record) error {
	for _, dir := range m.directories() {
		if slices.Contains(m.Dirs, dir) {
			continue
		}
		if err := h.RemoveEmpty(dir); err != nil {
			return err
		}
	}
	return nil
}
