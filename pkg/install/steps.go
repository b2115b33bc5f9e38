package install

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/smoke"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/vip"
)

// steps are what brings this host to its role, in order: the table of contents
// of an installation.
func (s *site) steps() ([]step.Step, error) {
	runtime, err := cri.For(s.manifest.Runtime)
	if err != nil {
		return nil, err
	}
	k, err := s.kubeadm(runtime)
	if err != nil {
		return nil, err
	}
	user := kubeadm.User{Name: s.User.Name, UID: s.User.UID, GID: s.User.GID}

	list := prep.Steps(prep.Options{Hostname: s.hostname(), Hosts: s.entries(), IPVS: s.cluster.Proxy.Mode == manifest.ProxyIPVS})
	if _, ok := s.facts.DefaultRoute(); !ok && s.iface != "" {
		list = append(list, prep.ServiceRoute(netip.MustParsePrefix(s.cluster.ServiceCIDR), s.iface))
	}
	list = append(list, s.software.Steps(s.packages(), s.Report)...)
	list = append(list, prep.Time(s.clock()))
	list = append(list, runtime.Steps(cri.Options{Pause: cri.Pause(s.lock.Images)})...)
	list = append(list, kubeadm.Kubelet(), s.imageStep(runtime))
	part, err := s.membership(k, user)
	return append(list, part...), err
}

// membership makes the host a part of the cluster.
func (s *site) membership(k kubeadm.Options, user kubeadm.User) (list []step.Step, err error) {
	if s.role != manifest.Node && s.cluster.VIP != nil {
		list = append(list, s.addressed(vip.Keepalived(s.virtual())))
	}
	if s.role != manifest.Node && s.byIdentity() {
		list = append(list, kubeadm.Authority(s.authority()))
	}
	join := kubeadm.JoinOptions{Options: k, Ticket: s.ticket, ControlPlane: s.role != manifest.Node, Authority: s.role != manifest.Node && s.byIdentity()}
	if s.byIdentity() {
		join.Waiting = s.letGo
	}
	switch {
	case s.first():
		network, err := s.network()
		if err != nil {
			return nil, err
		}
		list = append(list, s.entering(kubeadm.Init(k)), kubeadm.Kubeconfig(user), cni.DNS(), network, s.addressed(s.ticketStep(kubeadm.Ticket(s.ticketOptions(k)))))
	case s.role == manifest.Node:
		list = append(list, s.entering(kubeadm.Join(join)))
	default:
		list = append(list, s.entering(kubeadm.Join(join)), kubeadm.Kubeconfig(user))
	}
	list = append(list, kubeadm.Ready(k))
	if s.role != manifest.Node && s.byIdentity() {
		list = append(list, s.ticketStep(kubeadm.Retire(s.ticketOptions(k), s.members())))
	}
	return list, nil
}

// ticketStep is a step about tickets. They end by themselves, and so a host that
// is only looked at is as it should be without one: what there is to do is told.
func (s *site) ticketStep(st step.Step) step.Step {
	if s.looking {
		return advice{st}
	}
	return st
}

// advice is a step that is never to be done, only told of.
type advice struct{ step.Step }

func (a advice) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	st, err := a.Step.Check(ctx, h)
	if st.State == step.ToDo {
		st = step.Status{State: step.Done, Warnings: append(st.Warnings, st.What...)}
		st.Warn("./install ticket makes a new ticket, ./install ticket --revoke ends it")
	}
	return st, err
}

// virtual says how this master holds the control plane's virtual address.
func (s *site) virtual() vip.Options {
	o := vip.Options{VIP: *s.cluster.VIP, Self: s.address, Interface: s.iface}
	_, o.Port, _ = strings.Cut(s.endpoint(), ":")
	for _, m := range s.hosts() {
		if a, err := netip.ParseAddr(m.Address); err == nil && m.Controls() {
			o.Masters = append(o.Masters, a)
		}
	}
	for _, p := range s.lock.Packages {
		o.Bundled = o.Bundled || strings.HasPrefix(p.NEVRA, "keepalived-")
	}
	return o
}

// packages is the bundle's repository; without the archive its list alone.
func (s *site) packages() software.Bundle {
	b := software.Bundle{Packages: s.lock.Packages}
	if s.archive != nil {
		b.Archive = s.archive
	}
	return b
}

// imageStep loads the role's images; without the archive nothing tells which
// are missing.
func (s *site) imageStep(r cri.Runtime) step.Step {
	if s.archive == nil {
		return unseen{cri.Images(r, nil, nil, s.Report)}
	}
	return cri.Images(r, s.archive, s.images(), s.Report)
}

// unseen is a step that cannot be checked without the archive.
type unseen struct{ step.Step }

func (unseen) Check(context.Context, *host.Host) (step.Status, error) {
	var st step.Status
	st.Warn("images are looked for only with the archive: --archive FILE names it")
	return st, nil
}

// kubeadm is what the host is to be in the cluster.
func (s *site) kubeadm(r cri.Runtime) (o kubeadm.Options, err error) {
	var names []string
	for _, img := range s.lock.Images {
		names = append(names, img.Name)
	}
	o = kubeadm.Options{
		Version: s.manifest.Kubernetes, Node: s.nodeName(), Address: s.address, Socket: r.Socket(), Cluster: s.settled(),
		Images: names, Schedulable: s.role == manifest.Single, Limits: s.limits(), Progress: s.Report, Given: s.given, Dialer: s.Dialer,
	}
	o.Repository, err = kubeadm.Repository(names, s.manifest.Kubernetes)
	return o, err
}

func (s *site) ticketOptions(k kubeadm.Options) kubeadm.TicketOptions {
	o := kubeadm.TicketOptions{
		Options: k, Stick: s.ticketPath, MustWrite: s.Join.Ticket != "", TTL: s.TicketTTL, TimeServer: s.addressText(), Hosts: s.hosts(),
	}
	if s.archive == nil && s.Join.Ticket == "" {
		o.Stick = "" // there is no stick
	}
	return o
}

// network is the step that applies the network's manifest.
func (s *site) network() (step.Step, error) {
	n, err := s.Networks.For(s.manifest.Network)
	if err != nil {
		return nil, err
	}
	from := os.DirFS(s.host.Path(step.Dir))
	if s.archive != nil {
		from = s.archive
	}
	text, _, err := s.Networks.Manifest(from, n)
	if err != nil {
		return nil, err
	}
	return s.Networks.Install(n, text, cni.Cluster{PodCIDR: netip.MustParsePrefix(s.cluster.PodCIDR), Arch: s.lock.Platform.Arch, Interface: s.named()}), nil
}

// smokeOptions say what a cluster has to show.
func (s *site) smokeOptions() smoke.Options {
	o := smoke.Options{
		Node: s.nodeName(), Version: s.manifest.Kubernetes, Image: s.smokeImage(), ProxyMode: s.cluster.Proxy.Mode,
		PodCIDR: netip.MustParsePrefix(s.cluster.PodCIDR), Domain: s.cluster.DNSDomain, Wait: s.wait(),
		Networks: s.Networks, Network: s.manifest.Network,
	}
	if s.Dialer != nil {
		o.Dialer = s.Dialer
	}
	for _, img := range s.lock.Images {
		o.Images = append(o.Images, img.Name)
	}
	return o
}

// smokeImage is the image that the test of a cluster runs: the one that serves
// HTTP.
func (s *site) smokeImage() string {
	for _, img := range s.lock.Images {
		if repository, _ := manifest.SplitTag(img.Name); repository == "nginx" || slices.Contains([]string{"docker.io/library/nginx", "library/nginx"}, repository) {
			return img.Name
		}
	}
	return ""
}
