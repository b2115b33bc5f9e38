package target

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kubecrate/manifest"
)

// State is the saved target of a host, so that a rerun without flags, status, reset
// and load use the same values. It holds no secrets. Finished is set when a run has
// completed; it says nothing about the host's current condition.
type State struct {
	Bundle    string            `json:"bundle"`
	Role      manifest.Role     `json:"role"`
	Hostname  string            `json:"hostname,omitempty"`
	Address   string            `json:"address"`
	Interface string            `json:"interface,omitempty"`
	Named     string            `json:"namedInterface,omitempty"` // by --interface
	Runtime   string            `json:"runtime"`
	Network   string            `json:"network"`
	Family    string            `json:"family"`
	Cluster   *manifest.Cluster `json:"cluster"`
	Joined    string            `json:"joined,omitempty"`   // endpoint, for a host that joined
	Ticket    string            `json:"ticket,omitempty"`   // path on the stick
	Identity  bool              `json:"identity,omitempty"` // installed with an identity
	Told      Told              `json:"told,omitzero"`      // by the ticket used to join
	Sealed    *manifest.Ticket  `json:"sealed,omitempty"`   // of the identity, on masters, without its secrets
	Finished  bool              `json:"finished"`
}

// Told is what a ticket says of its cluster besides how to join it, saved because the
// ticket may be gone later.
type Told struct {
	Hosts      []manifest.Host `json:"hosts,omitempty"`
	TimeServer string          `json:"timeServer,omitempty"` // an address
}

// ParseState parses the output of Marshal, of this version or an earlier one.
func ParseState(text []byte) (*State, error) {
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if roles := []manifest.Role{manifest.Master, manifest.Node, manifest.Single}; s.Cluster == nil || !slices.Contains(roles, s.Role) {
		return nil, errors.New("it names no role or no cluster")
	}
	return &s, nil
}

// Marshal returns the content of the state file.
func (s *State) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot save the install state: %w", err)
	}
	return append(text, '\n'), nil
}

// finished reports whether an earlier run completed.
func (s *State) finished() bool { return s != nil && s.Finished }

// joined is the endpoint that an earlier run joined, or "".
func (s *State) joined() string {
	if s == nil {
		return ""
	}
	return s.Joined
}

// began reports whether an earlier run initialised the cluster here or made this host
// a node.
func (s *State) began() bool { return s != nil && s.Joined == "" }

// WithoutSecrets returns a copy of t without token and certificate key.
func WithoutSecrets(t *manifest.Ticket) *manifest.Ticket {
	if t == nil {
		return nil
	}
	open := *t
	open.Token, open.CertificateKey = "", ""
	return &open
}
