package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/durable"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/step"
)

// stateFile holds what this host was told to become, so that the same command
// without flags, status, reset and load mean the same.
const stateFile = step.Dir + "/install.json"

// State is what a host was told to become. It holds no secret. Finished is
// set when a run reached its end; it says nothing of the host as it is now.
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

// told is what the ticket says, or without one what it said when this host joined.
func (s *site) told() Told {
	switch {
	case s.ticket != nil:
		return Told{Hosts: s.ticket.Hosts, TimeServer: s.ticket.TimeServer}
	case s.saved != nil:
		return s.saved.Told
	}
	return Told{}
}

// readState reads the state; nil where this program never ran on h.
func readState(h *host.Host) (*State, error) {
	text, err := h.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, hint.With(fmt.Errorf("cannot read what was installed: %w", err), "%s", hint.Root(""))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what was installed: %w", err)
	}
	var s State
	roles := []manifest.Role{manifest.Master, manifest.Node, manifest.Single}
	if err := json.Unmarshal(text, &s); err != nil || s.Cluster == nil || !slices.Contains(roles, s.Role) {
		return nil, hint.With(fmt.Errorf("cannot read what was installed: %s is damaged", stateFile),
			"%s; then %s", hint.Command("mv", stateFile, stateFile+".damaged"), notedAgain)
	}
	return &s, nil
}

// notedAgain is how a host without its state gets one again.
const notedAgain = "with the stick, the command that this host was installed with, such as ./install --role node, notes it again; after that ./install reset takes all of it back"

// onlyLoaded fails where more was done to a host without a state than to load
// images: what that was, and so how it is undone, only the state tells.
func onlyLoaded(h *host.Host) error {
	changes, err := step.Changes(h)
	if err != nil {
		return err
	}
	begun, err := kubeadm.Begun(h)
	if err != nil {
		return err
	}
	more := func(c step.Change) bool { return c.Step != cri.StepName }
	if begun || slices.ContainsFunc(changes, more) {
		return hint.With(fmt.Errorf("cannot tell what was installed: %s is missing, and more was changed on this host than images were loaded", stateFile), "%s", notedAgain)
	}
	return nil
}

// write brings the state to the disk.
func (s *State) write(h *host.Host) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	return keep(h, filepath.Base(stateFile), append(text, '\n'))
}

// keep brings a file of ours to the disk, beside the journal.
func keep(h *host.Host, name string, text []byte) error {
	const dirMode, fileMode = 0o700, 0o600
	if err := os.MkdirAll(h.Path(step.Dir), dirMode); err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	o := host.FileState{Content: text, Mode: fileMode, UID: os.Geteuid(), GID: os.Getegid()}
	if err := h.Put(step.Dir+"/"+name, o); err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	return nil
}

// stateLast puts the state behind the other names: without it what they are of
// cannot be told any more, should the removing end in the middle.
func stateLast(names []string) []string {
	last := filepath.Base(stateFile)
	if i := slices.Index(names, last); i >= 0 {
		names = append(slices.Delete(names, i, i+1), last)
	}
	return names
}

// forget removes all that this program keeps on a host, when nothing is left
// to undo. What somebody else wrote into our files stays, see step.Reset.
func forget(h *host.Host) error {
	names, err := h.ReadDir(step.Dir)
	if err != nil {
		return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
	}
	for _, name := range stateLast(names) {
		if name == filepath.Base(step.ChangedDir) {
			continue
		}
		if err := os.RemoveAll(h.Path(step.Dir + "/" + name)); err != nil {
			return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
		}
	}
	err = os.Remove(h.Path(step.Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
	}
	return durable.SyncDir(filepath.Dir(h.Path(step.Dir)))
}
