package install

import (
	"context"
	"net/netip"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/vip"
)

// assembly creates the steps that bring a host to its Target.
type assembly struct {
	target   target.Target
	bundle   *bundle
	facts    *facts.Facts
	caller   Caller
	terms    terms
	keys     *identity.Identity        // nil if not open
	named    bool                      // the operator named the ticket's file: failing to write it is an error
	waiting  func(ctx context.Context) // called before a host with an identity waits for its master
	warnOnly bool                      // nothing will be changed, see ticketStep
}

// assembly returns the assembly of an installation.
func (r *run) assembly() *assembly {
	return &assembly{
		target: r.target, bundle: r.bundle, facts: r.facts, caller: r.caller, terms: r.terms, keys: r.keys,
		named: r.inputs.Request.Join.Ticket != "", waiting: r.releaseMedia,
	}
}

// steps returns the steps of an installation in order: its table of contents.
func (a *assembly) steps() ([]step.Step, error) {
	runtime, err := a.caller.Runtimes.For(a.bundle.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	k, err := a.kubeadm(runtime)
	if err != nil {
		return nil, err
	}
	list := a.caller.Preparations.Steps(prep.Options{Hostname: a.target.Hostname, Hosts: a.target.Entries, IPVS: a.target.Cluster.Proxy.Mode == manifest.ProxyIPVS})
	if _, ok := a.facts.DefaultRoute(); !ok && a.target.Interface != "" {
		list = append(list, prep.ServiceRoute(netip.MustParsePrefix(a.target.Cluster.ServiceCIDR), a.target.Interface))
	}
	list = append(list, a.bundle.software.Steps(a.packages(), a.caller.Report)...)
	list = append(list, prep.Time(a.target.Clock))
	list = append(list, runtime.Steps(cri.Options{Pause: cri.Pause(a.bundle.lock.Images)})...)
	list = append(list, kubeadm.Kubelet(), a.imageStep(runtime))
	part, err := a.membership(k)
	return append(list, part...), err
}

// membership returns the steps that make the host part of the cluster.
func (a *assembly) membership(k kubeadm.Options) (list []step.Step, err error) {
	controls := a.target.Role != manifest.Node
	if controls && a.target.Cluster.VIP != nil {
		list = append(list, a.addressed(vip.Keepalived(a.virtual())))
	}
	if controls && a.target.ByIdentity {
		list = append(list, kubeadm.Authority(a.authority()))
	}
	join := kubeadm.JoinOptions{Options: k, Ticket: a.target.Ticket.Join, ControlPlane: controls, Authority: controls && a.target.ByIdentity}
	if a.target.ByIdentity {
		join.Waiting = a.waiting
	}
	switch {
	case a.target.First:
		network, err := a.network()
		if err != nil {
			return nil, err
		}
		list = append(list, a.entering(kubeadm.Init(k)), kubeadm.Kubeconfig(a.terms.user), cni.DNS(), network, a.addressed(a.ticketStep(kubeadm.Ticket(a.ticketOptions(k)))))
	case !controls:
		list = append(list, a.entering(kubeadm.Join(join)))
	default:
		list = append(list, a.entering(kubeadm.Join(join)), kubeadm.Kubeconfig(a.terms.user))
	}
	list = append(list, kubeadm.Ready(k))
	if controls && a.target.ByIdentity {
		list = append(list, a.ticketStep(kubeadm.Retire(a.ticketOptions(k), a.target.Members())))
	}
	return list, nil
}

// ticketStep wraps a step about tickets. Tickets expire, so status only warns if one is
// missing.
func (a *assembly) ticketStep(st step.Step) step.Step {
	if a.warnOnly {
		return warnOnly{st}
	}
	return st
}

// warnOnly is a step that only warns about what is to do.
type warnOnly struct{ step.Step }

func (w warnOnly) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	st, err := w.Step.Check(ctx, h)
	if st.State == step.ToDo {
		st = step.Status{State: step.Done, Warnings: append(st.Warnings, st.What...)}
		st.Warn("./install ticket creates a new ticket, ./install ticket --revoke revokes it")
	}
	return st, err
}

// virtual returns the settings of the control plane's virtual address.
func (a *assembly) virtual() vip.Options {
	o := vip.Options{VIP: *a.target.Cluster.VIP, Self: a.target.Address, Interface: a.target.Interface}
	_, o.Port, _ = strings.Cut(a.target.Endpoint, ":")
	for _, m := range a.target.Hosts {
		if at, err := netip.ParseAddr(m.Address); err == nil && m.Controls() {
			o.Masters = append(o.Masters, at)
		}
	}
	for _, p := range a.bundle.lock.Packages {
		o.Bundled = o.Bundled || p.NEVRA.Name == "keepalived"
	}
	return o
}

// packages returns the bundle's packages; without the archive only their list.
func (a *assembly) packages() software.Bundle {
	b := software.Bundle{Packages: a.bundle.lock.Packages}
	if a.bundle.archive != nil {
		b.Archive = a.bundle.archive
	}
	return b
}

// imageStep loads the role's images; without the archive it cannot check which are
// missing.
func (a *assembly) imageStep(r cri.Runtime) step.Step {
	if a.bundle.archive == nil {
		return unchecked{cri.Images(r, nil, nil, a.caller.Report)}
	}
	return cri.Images(r, a.bundle.archive, a.bundle.images(a.target.Role), a.caller.Report)
}

// unchecked is a step that cannot be checked without the archive.
type unchecked struct{ step.Step }

func (unchecked) Check(context.Context, *host.Host) (step.Status, error) {
	var st step.Status
	st.Warn("images are not checked without the archive: select it with --archive FILE")
	return st, nil
}

// kubeadm returns the settings of the host in the cluster.
func (a *assembly) kubeadm(r cri.Runtime) (o kubeadm.Options, err error) {
	t, names := &a.target, a.bundle.imageNames()
	o = kubeadm.Options{
		Version: a.bundle.manifest.Kubernetes, Node: t.Node, Address: t.Address, Socket: r.Socket(), Runtime: r.About(), Cluster: t.Effective,
		Images: names, Schedulable: t.Role == manifest.Single, Limits: a.terms.limits(t.ByIdentity), Progress: a.caller.Report, Given: t.Ticket.Begin, Dialer: a.caller.Dialer, Networks: a.caller.Networks, Runtimes: a.caller.Runtimes,
	}
	o.Repository, err = kubeadm.Repository(names, a.bundle.manifest.Kubernetes)
	return o, err
}

// authority returns the CAs for a master.
func (a *assembly) authority() kubeadm.AuthorityOptions {
	o := kubeadm.AuthorityOptions{Source: identity.FileName, CAHash: a.target.Ticket.CAHash()}
	if a.keys != nil {
		o.Files = a.keys.Files
	}
	return o
}

func (a *assembly) ticketOptions(k kubeadm.Options) kubeadm.TicketOptions {
	o := kubeadm.TicketOptions{
		Options: k, Stick: a.target.Ticket.Path, MustWrite: a.named, TTL: a.terms.ticketTTL, TimeServer: a.target.AddressText(), Hosts: a.target.Hosts,
	}
	if a.bundle.archive == nil && !a.named {
		o.Stick = "" // there is no stick
	}
	return o
}

// network is the step that applies the network's manifest.
func (a *assembly) network() (step.Step, error) {
	n, err := a.caller.Networks.For(a.bundle.manifest.Network)
	if err != nil {
		return nil, err
	}
	text, _, err := a.caller.Networks.Manifest(a.bundle.files, n)
	if err != nil {
		return nil, err
	}
	return a.caller.Networks.Install(n, text, a.networkCluster()), nil
}

// networkCluster returns the settings that any network needs. The interface is only one
// that the operator named: this host's interface may have another name on other hosts.
func (a *assembly) networkCluster() cni.Cluster {
	return cni.Cluster{PodCIDR: netip.MustParsePrefix(a.target.Cluster.PodCIDR), Arch: a.bundle.lock.Platform.Arch, Interface: a.target.Named}
}

// smokeOptions returns the settings of the smoke test.
func (a *assembly) smokeOptions() smoke.Options {
	c := a.target.Cluster
	o := smoke.Options{
		Node: a.target.Node, Version: a.bundle.manifest.Kubernetes, Image: a.smokeImage(), ProxyMode: c.Proxy.Mode,
		PodCIDR: netip.MustParsePrefix(c.PodCIDR), Domain: c.DNSDomain, Wait: a.terms.waitFor(),
		Networks: a.caller.Networks, Network: a.bundle.manifest.Network, Images: a.bundle.imageNames(),
	}
	if a.caller.Dialer != nil {
		o.Dialer = a.caller.Dialer
	}
	return o
}

// smokeImage is the image of the smoke test's pods: the one that serves HTTP.
func (a *assembly) smokeImage() string {
	for _, img := range a.bundle.lock.Images {
		if imageref.Complete(imageref.Split(img.Name).Repository) == "docker.io/library/nginx" {
			return img.Name
		}
	}
	return ""
}
