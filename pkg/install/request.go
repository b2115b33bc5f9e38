package install

import (
	"context"
	"path/filepath"
	"time"

	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// Media is the stick: the archive, and what lies beside it.
type Media struct {
	Archive string // path, see FindArchive; "" is none
	Trust   trust.Options
}

// stick is the directory of the archive, "" without one.
func (m Media) stick() string {
	if m.Archive == "" {
		return ""
	}
	return filepath.Dir(m.Archive)
}

// file is a file beside the archive.
func (m Media) file(name string) media.File { return media.At(m.stick()).File(name) }

// Caller is the process that runs a verb, what it knows, and how it reaches people
// and the cluster.
type Caller struct {
	EUID    int
	Command string             // how the program was called, for hints; "" where that holds a secret
	Dialer  clusterhttp.Dialer // reaches the cluster; nil is the host's own network
	Report  progress.Func
	Tables  // the zero value is all of this version
}

// RunRequest is what the operator says of an installation.
type RunRequest struct {
	Media      Media
	Caller     Caller
	Host       target.Request
	Passphrase func(ctx context.Context, identity string) (string, error) // of the identity; asked for on masters only
	TicketTTL  time.Duration                                              // of the ticket that a master writes; 0 is kubeadm.DefaultTTL
	Wait       time.Duration                                              // for the API server and for Ready; 0 is 10 minutes, and for the master of an identity 12 hours
	Skip       []string                                                   // preflight checks that only warn
	NoSmoke    bool
	User       kubeadm.User // who gets a kubeconfig beside root
}

// PlanRequest is what the operator says of an installation that is only looked at.
type PlanRequest struct {
	Media  Media
	Caller Caller
	Host   target.Request
	Wait   time.Duration
	Skip   []string
	User   kubeadm.User
}

// LoadRequest says whose images are loaded.
type LoadRequest struct {
	Media  Media
	Caller Caller
	Host   target.Request
}

// StatusRequest says how an installed host is looked at. Without the archive the
// copies of its description on the host do.
type StatusRequest struct {
	Media  Media
	Caller Caller
	Ticket string // its file; "" is join.yaml beside the archive
}

// TicketRequest says what Ticket does: it makes a ticket, unless Show or Revoke
// is set.
type TicketRequest struct {
	Media        Media
	Caller       Caller
	Ticket       string // the file to write; "" is join.yaml beside the archive
	TTL          time.Duration
	ControlPlane bool // further masters may join with it
	Show         bool // give what is to be typed instead of a new ticket
	Revoke       bool
}

// SmokeRequest says how the cluster is tested.
type SmokeRequest struct {
	Media  Media
	Caller Caller
	Wait   time.Duration // for what is still starting; 0 is 10 minutes
}

// ResetRequest says how a host is taken back. The stick is not needed; where it is
// there, what this host left on it goes.
type ResetRequest struct {
	Media        Media
	Caller       Caller
	KeepPackages bool
}

// terms are how an installation is carried out, beside what the host becomes.
type terms struct {
	wait, ticketTTL time.Duration
	user            kubeadm.User
}
