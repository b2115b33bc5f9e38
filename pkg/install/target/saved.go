package target

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kubecrate/manifest"
)

// State is what a host was told to become, kept on its disk so that the same
// command without flags, status, reset and load mean the same. It holds no secret.
// Finished is set when a run reached its end; it says nothing of the host as it is
// now.
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
	Identity  bool              `json:"identity,omitempty"` // it was installed by one
	Told      Told              `json:"told,omitzero"`      // by the ticket it joined with
	Sealed    *manifest.Ticket  `json:"sealed,omitempty"`   // of the identity, on masters, without its secrets
	Finished  bool              `json:"finished"`
}

// Told is what a ticket says of its cluster beside how to join it, kept for the
// time when the ticket is gone.
type Told struct {
	Hosts      []manifest.Host `json:"hosts,omitempty"`
	TimeServer string          `json:"timeServer,omitempty"` // an address
}

// ParseState reads what Marshal wrote, in this version or an earlier one.
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

// Marshal is s as it stands in its file.
func (s *State) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot note what is installed: %w", err)
	}
	return append(text, '\n'), nil
}

// finished says that an earlier run reached its end.
func (s *State) finished() bool { return s != nil && s.Finished }

// joined is the endpoint that an earlier run joined, "" where none did.
func (s *State) joined() string {
	if s == nil {
		return ""
	}
	return s.Joined
}

// began says that this host began its cluster in an earlier run, or is a node.
func (s *State) began() bool { return s != nil && s.Joined == "" }

// WithoutSecrets is a ticket that anybody may see.
func WithoutSecrets(t *manifest.Ticket) *manifest.Ticket {
	if t == nil {
		return nil
	}
	open := *t
	open.Token, open.CertificateKey = "", ""
	return &open
}
