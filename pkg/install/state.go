package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"kubecrate/manifest"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/step"
)

// stateFile holds the settings of this host, for later runs without flags, status,
// reset and load.
const stateFile = step.Dir + "/install.json"

// readState reads the state; nil if this program never ran on h.
func readState(h *host.Host) (*target.State, error) {
	text, err := h.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, hint.With(fmt.Errorf("cannot read the installation's state: %w", err), "%s", hint.Root(""))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the installation's state: %w", err)
	}
	s, err := target.ParseState(text)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read the installation's state: %s is damaged", stateFile),
			"%s; then %s", hint.Command("mv", stateFile, stateFile+".damaged"), notedAgain)
	}
	return s, nil
}

// notedAgain is the hint how to write the state again.
const notedAgain = "with the stick, run the command that installed this host again, such as ./install --role node; then ./install reset undoes everything"

// onlyLoaded fails if more than loading images was done on a host without a state: how
// to undo it is only known from the state.
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
		return hint.With(fmt.Errorf("cannot determine what was installed: %s is missing, but more was changed on this host than loaded images", stateFile), "%s", notedAgain)
	}
	return nil
}

// saveState saves the Target and the bundle's description on the host, for use without
// the stick.
func (r *run) saveState(finished bool) (err error) {
	m := r.bundle.manifest
	st := r.target.State()
	st.Bundle, st.Runtime, st.Network, st.Family, st.Finished = r.bundle.name(), m.Runtime, m.Network, r.bundle.lock.Platform.Family, finished
	if st.Ticket, err = filepath.Abs(r.target.Ticket.Path); err != nil {
		return fmt.Errorf("cannot save the installation's state: %w", err)
	}
	if !finished { // else it was saved when the run began, and the stick may be gone
		if err := r.bundle.keep(r.host, r.target.Role); err != nil {
			return err
		}
	}
	text, err := st.Marshal()
	if err != nil {
		return err
	}
	return errors.Join(writeState(r.host, filepath.Base(stateFile), text), r.bundle.trusted.Remember(r.host))
}

// writeState writes a file beside the journal.
func writeState(h *host.Host, name string, text []byte) error {
	if err := h.With(host.Unrecorded{}).State().Write(step.Dir+"/"+name, text); err != nil {
		return fmt.Errorf("cannot save the installation's state: %w", err)
	}
	return nil
}

// stateLast moves the state to the end of the files: if their removal is interrupted,
// the state is still needed.
func stateLast(files []string) []string {
	if i := slices.Index(files, stateFile); i >= 0 {
		files = append(slices.Delete(files, i, i+1), stateFile)
	}
	return files
}

// removeState removes this program's files from a host once everything is undone. Saved
// copies of files that somebody else changed stay, see step.Reset.
func removeState(h *host.Host) error {
	own := h.With(host.Unrecorded{}).State()
	files, err := own.List()
	if err != nil {
		return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
	}
	for _, file := range stateLast(files) {
		if file == step.ChangedDir {
			continue
		}
		if err := own.Remove(file); err != nil {
			return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
		}
	}
	err = os.Remove(h.Path(step.Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("cannot clear %s: %w", step.Dir, err)
	}
	return atomicfile.SyncDir(filepath.Dir(h.Path(step.Dir)))
}

// sealedName is the ticket from the identity, a secret, in step.Dir until the
// installation is complete: after an interrupted run, the passphrase is not needed again
// and no other ticket is used.
const sealedName = "sealed-join.yaml"

// readSealed returns the saved ticket, or the one in the state, which lacks the secrets;
// nil without either.
func readSealed(h *host.Host, saved *target.State) (*manifest.Ticket, error) {
	text, err := h.Text(step.Dir + "/" + sealedName)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the ticket of the identity: %w", err)
	case text != "":
		return manifest.ParseTicket(step.Dir+"/"+sealedName, []byte(text))
	case saved != nil:
		return saved.Sealed, nil
	}
	return nil, nil
}

// saveSealed saves the ticket on the host if this run opened the identity.
func (r *run) saveSealed() error {
	if r.keys == nil {
		return nil
	}
	return writeState(r.host, sealedName, r.keys.Text)
}

// removeSealed removes it once the host has joined.
func removeSealed(h *host.Host) error {
	if err := h.With(host.Unrecorded{}).State().Remove(step.Dir + "/" + sealedName); err != nil {
		return fmt.Errorf("cannot remove the ticket of the identity: %w", err)
	}
	return nil
}
