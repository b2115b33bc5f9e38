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

// Media is the stick: the archive and the files beside it.
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

// Caller is the calling process: its user, and how it reports progress and connects to
// the cluster.
type Caller struct {
	EUID    int
	Command string             // the program's command line, for hints; "" if it contains a secret
	Dialer  clusterhttp.Dialer // connects to the cluster; nil means the host's network
	Report  progress.Func
	Tables  // the zero value means those of this version
}

// RunRequest are the operator's settings of an installation.
type RunRequest struct {
	Media      Media
	Caller     Caller
	Host       target.Request
	Passphrase func(ctx context.Context, identity string) (string, error) // of the identity; asked for on masters only
	TicketTTL  time.Duration                                              // of the ticket that a master writes; 0 is kubeadm.DefaultTTL
	Wait       time.Duration                                              // timeout for the API server and for Ready; 0 means 10 minutes, 12 hours for a master with an identity
	Skip       []string                                                   // preflight checks that only warn
	NoSmoke    bool
	User       kubeadm.User // gets a kubeconfig in addition to root
}

// PlanRequest are the operator's settings of a planned installation.
type PlanRequest struct {
	Media  Media
	Caller Caller
	Host   target.Request
	Wait   time.Duration
	Skip   []string
	User   kubeadm.User
}

// LoadRequest are the settings of Load.
type LoadRequest struct {
	Media  Media
	Caller Caller
	Host   target.Request
}

// StatusRequest are the settings of CheckStatus. Without the archive it uses the copies
// of its description on the host.
type StatusRequest struct {
	Media  Media
	Caller Caller
	Ticket string // its file; "" is join.yaml beside the archive
}

// TicketRequest are the settings of Ticket: it creates a ticket, unless Show or Revoke
// is set.
type TicketRequest struct {
	Media        Media
	Caller       Caller
	Ticket       string // the file to write; "" is join.yaml beside the archive
	TTL          time.Duration
	ControlPlane bool // further masters may join with it
	Show         bool // return the flags to type instead of a new ticket
	Revoke       bool
}

// SmokeRequest are the settings of Smoke.
type SmokeRequest struct {
	Media  Media
	Caller Caller
	Wait   time.Duration // timeout for components that are starting; 0 means 10 minutes
}

// ResetRequest are the settings of Reset. The stick is optional; if present, this host's
// report is removed from it.
type ResetRequest struct {
	Media        Media
	Caller       Caller
	KeepPackages bool
}

// terms are settings of an installation that do not affect the Target.
type terms struct {
	wait, ticketTTL time.Duration
	user            kubeadm.User
}
