package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/media"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/trust"
)

// site is all that is known before anything is done. It must be closed.
type site struct {
	Settings
	host    *host.Host
	archive *archive.Reader // nil where only the host's copies are there
	closer  io.Closer
	trusted *trust.Trusted // who signed the archive

	lock     *manifest.Lock
	manifest *manifest.Manifest
	saved    *State // of an earlier run, or nil
	software software.Source
	unseen   bool // only root could tell whether there was one

	role       manifest.Role
	cluster    *manifest.Cluster
	ticket     *manifest.Ticket // of the cluster to join; nil on the first master
	ticketErr  error            // why the ticket that this host needs is not there or cannot be used
	ticketPath string
	sealed     media.File         // the identity on the stick, the zero File without one
	keys       *identity.Identity // once it is opened
	vouched    *manifest.Ticket   // of the identity, opened now or in an earlier run
	looking    bool               // nothing is to be changed, see ticketStep
	given      *manifest.Ticket   // of the identity, on the master that begins its cluster
	facts      *facts.Facts
	self       *manifest.Host // this host in cluster, or nil
	address    netip.Addr     // the zero Addr where it is not known, because of
	addressErr error          // which steps that need it tell, see addressed
	iface      string
	reports    *hostreport.Exchange
}

// open reads the archive's description and looks at the host.
func open(ctx context.Context, h *host.Host, o Settings) (s *site, err error) {
	s = &site{Settings: o, host: h}
	r, closer, who, err := OpenArchive(h, o)
	if err != nil {
		return nil, err
	}
	s.archive, s.closer, s.trusted = r, closer, who
	defer func() {
		if err != nil {
			err = errors.Join(err, closer.Close())
		}
	}()
	if err := s.describe(r); err != nil {
		return nil, err
	}
	s.saved, err = readState(h)
	if s.EUID != 0 && errors.Is(err, fs.ErrPermission) {
		s.unseen = true
		s.warn("what an earlier run did to this host only root can see: it is looked at as if there had been none")
		err = nil
	}
	if err != nil {
		return nil, err
	}
	err = s.decide(ctx)
	return s, err
}

// reopen is open for a host that was installed: without the archive, the copies
// of its description on the host do.
func reopen(ctx context.Context, h *host.Host, o Settings, saved *State) (s *site, err error) {
	if o.Archive != "" {
		if s, err = open(ctx, h, o); err == nil && s.bundle() == saved.Bundle {
			return s, nil
		}
		if s != nil && err == nil {
			err = s.close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	o.Archive = ""
	s = &site{Settings: o, host: h, saved: saved}
	if err := s.describe(os.DirFS(h.Path(step.Dir)).(fs.ReadFileFS)); err != nil {
		return nil, hint.With(fmt.Errorf("cannot tell what was installed: %w", err), "put the stick in, and name the archive: --archive FILE")
	}
	err = s.decide(ctx)
	return s, err
}

// The members that describe a bundle.
const (
	lockMember     = "bundle.lock"
	manifestMember = "bundle.yaml"
)

func (s *site) describe(from fs.ReadFileFS) (err error) {
	if s.lock, err = report.Lock(from); err != nil {
		return err
	}
	text, err := from.ReadFile(manifestMember)
	if err != nil {
		return fmt.Errorf("cannot read the archive's manifest: %w", err)
	}
	if s.manifest, err = manifest.Parse(manifestMember, text); err != nil {
		return err
	}
	if s.software, err = distro.For(s.lock.Platform.Family); err != nil {
		return err
	}
	s.host.Software = s.software
	return nil
}

// decide settles the role, the cluster, the address and the ticket.
func (s *site) decide(ctx context.Context) (err error) {
	if s.cluster, err = s.Settings.cluster(s.saved); err != nil {
		return err
	}
	if s.facts, err = facts.Read(ctx, s.host, facts.Options{Now: time.Now()}); err != nil {
		return err
	}
	if s.self, err = facts.Self(s.facts, s.cluster); err != nil {
		return err
	}
	if err := s.decideRole(); err != nil {
		return err
	}
	s.decideAddress()
	s.exchangeReports()
	return s.decideTicket(ctx)
}

// exchangeReports says with which stick and which hosts this one compares itself.
func (s *site) exchangeReports() {
	o := hostreport.Options{Stick: s.stick(), Host: s.host, Self: s.facts, Now: time.Now, Report: s.Report}
	o.Keep = func(path string, text []byte) error { return keep(s.host, filepath.Base(path), text) }
	if s.cluster.VIP != nil {
		o.VIP = s.cluster.VIP.Address
	}
	s.reports = hostreport.NewExchange(o)
}

func (s *site) warn(format string, args ...any) {
	s.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(format, args...)})
}

func (s *site) decideRole() error {
	s.role = s.Role
	if s.role == "" && s.saved != nil {
		s.role = s.saved.Role
	}
	if s.role == "" && s.self != nil {
		s.role = s.self.Role
	}
	switch {
	case s.role == "" && len(s.cluster.Hosts) > 0:
		return hint.With(ErrRole, "or add this host to the hosts in %s: it has %s", clusterName, s.whoami())
	case s.role == "":
		return ErrRole
	case s.saved != nil && s.saved.Role != s.role:
		return hint.With(fmt.Errorf("this host was made a %s, and cannot become a %s as it is", s.saved.Role, s.role), "%s, then ./install --role %s", resetCommand(s.saved.Role), s.role)
	case s.saved != nil && s.saved.Bundle != s.bundle():
		return hint.With(fmt.Errorf("this host was installed from %s, this is %s", s.saved.Bundle, s.bundle()), "%s, then ./install --role %s", resetCommand(s.saved.Role), s.role)
	}
	return nil
}

func (s *site) decideAddress() {
	flag := s.Address
	if flag == "" && s.saved != nil {
		flag = s.saved.Address
	}
	s.address, s.iface, s.addressErr = facts.AddressOf(s.facts, s.cluster, flag)
	s.iface = cmp.Or(s.named(), s.iface)
}

// named is the interface that the operator named, now or in an earlier run.
func (s *site) named() string {
	if s.Interface == "" && s.saved != nil {
		return s.saved.Named
	}
	return s.Interface
}

// close lets go of the archive.
func (s *site) close() error {
	if s.closer == nil {
		return nil
	}
	closer := s.closer
	s.closer = nil
	return closer.Close()
}

// bundle is the archive's name without its ending.
func (s *site) bundle() string { return s.lock.Name + "-" + s.lock.Platform.Arch }

// first says that this host begins the cluster.
func (s *site) first() bool {
	return s.role != manifest.Node && s.ticket == nil && (s.saved == nil || s.saved.Joined == "")
}

// hostname is the name that this host is to have, "" for the one it has.
func (s *site) hostname() string {
	switch {
	case s.Hostname != "":
		return s.Hostname
	case s.self != nil:
		return s.self.Name
	case s.saved != nil:
		return s.saved.Hostname
	}
	return ""
}

// nodeName is the name of the node: kubeadm takes the host's, in lower case.
func (s *site) nodeName() string {
	return strings.ToLower(cmp.Or(s.hostname(), s.facts.Hostname))
}

// endpoint is HOST:PORT of the control plane, "" where it is not known.
func (s *site) endpoint() string {
	switch {
	case s.ticket != nil:
		return s.ticket.Endpoint
	case s.saved != nil && s.saved.Joined != "":
		return s.saved.Joined
	}
	if at := cmp.Or(s.cluster.ControlPlane(), s.addressText()); at != "" {
		return manifest.HostPort(at)
	}
	return ""
}

// clock says where the time comes from: the first master serves its own to the
// network that it shares with the others.
func (s *site) clock() prep.Clock {
	if s.first() {
		for _, i := range s.facts.Interfaces {
			for _, a := range i.Addresses {
				if a.Prefix.Addr() == s.address {
					return prep.Clock{Serve: []netip.Prefix{a.Prefix.Masked()}}
				}
			}
		}
		return prep.Clock{}
	}
	server := s.told().TimeServer
	if server == s.addressText() {
		server = ""
	}
	for _, h := range s.hosts() {
		if server == "" && h.Role != manifest.Node && h.Address != s.addressText() {
			server = h.Address
		}
	}
	a, err := netip.ParseAddr(server)
	if err != nil {
		return prep.Clock{}
	}
	return prep.Clock{Server: a}
}

// needs is what the role takes of the archive.
func (s *site) needs() Needs {
	var n Needs
	for _, p := range s.lock.Packages {
		n.Packages = append(n.Packages, p.NEVRA)
	}
	for _, img := range s.images() {
		n.Images = append(n.Images, img.Name)
	}
	for _, f := range s.lock.Files {
		if needed(f.Roles, s.role) {
			n.Files = append(n.Files, f.Path)
		}
	}
	if s.archive == nil {
		return n
	}
	for _, m := range s.archive.Index().Members {
		if m.NeededBy(s.role) {
			n.Members++
			n.Raw += m.Size
		}
	}
	n.Compressed = s.archive.Compressed(s.member)
	return n
}

// member says whether the role needs a member.
func (s *site) member(m archive.Member) bool { return m.NeededBy(s.role) }

// images are those that the role needs.
func (s *site) images() []manifest.LockedImage {
	var list []manifest.LockedImage
	for _, img := range s.lock.Images {
		if needed(img.Roles, s.role) {
			list = append(list, img)
		}
	}
	return list
}

func needed(roles []manifest.Role, role manifest.Role) bool {
	return manifest.Artifact{Roles: roles}.NeededBy(role)
}

// remember brings to the host's disk what it is to become, and the bundle's
// description, for when the stick is gone.
func (s *site) remember(finished bool) (err error) {
	st := &State{
		Bundle: s.bundle(), Role: s.role, Hostname: s.hostname(), Address: s.addressText(), Interface: s.iface, Named: s.named(),
		Cluster: s.cluster, Runtime: s.manifest.Runtime, Network: s.manifest.Network, Family: s.lock.Platform.Family, Finished: finished,
		Identity: s.byIdentity(), Sealed: withoutSecrets(s.vouched),
	}
	if !s.first() {
		st.Joined, st.Told = s.endpoint(), s.told()
	}
	if st.Ticket, err = filepath.Abs(s.ticketPath); err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	names := []string{lockMember, manifestMember}
	for _, f := range s.lock.Files {
		if needed(f.Roles, s.role) {
			names = append(names, f.Path)
		}
	}
	if s.archive == nil || finished { // they are kept since the run began, and the stick may be gone
		names = nil
	}
	for _, name := range names {
		text, err := s.archive.ReadFile(name)
		if err != nil {
			return err
		}
		if err := keep(s.host, name, text); err != nil {
			return err
		}
	}
	return errors.Join(st.write(s.host), s.trusted.Remember(s.host))
}
