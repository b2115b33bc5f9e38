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

// stateFile holds what this host was told to become, so that the same command
// without flags, status, reset and load mean the same.
const stateFile = step.Dir + "/install.json"

// readState reads the state; nil where this program never ran on h.
func readState(h *host.Host) (*target.State, error) {
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
	s, err := target.ParseState(text)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read what was installed: %s is damaged", stateFile),
			"%s; then %s", hint.Command("mv", stateFile, stateFile+".damaged"), notedAgain)
	}
	return s, nil
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

// saveState brings to the host's disk what it is to become, and the bundle's
// description, for when the stick is gone.
func (r *run) saveState(finished bool) (err error) {
	m := r.bundle.manifest
	st := r.target.State()
	st.Bundle, st.Runtime, st.Network, st.Family, st.Finished = r.bundle.name(), m.Runtime, m.Network, r.bundle.lock.Platform.Family, finished
	if st.Ticket, err = filepath.Abs(r.target.Ticket.Path); err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	if !finished { // then it is kept since the run began, and the stick may be gone
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

// writeState brings a file of ours to the disk, beside the journal.
func writeState(h *host.Host, name string, text []byte) error {
	if err := h.With(host.Unrecorded{}).State().Write(step.Dir+"/"+name, text); err != nil {
		return fmt.Errorf("cannot note what is installed: %w", err)
	}
	return nil
}

// stateLast puts the state behind the other files: without it what they are of
// cannot be told any more, should the removing end in the middle.
func stateLast(files []string) []string {
	if i := slices.Index(files, stateFile); i >= 0 {
		files = append(slices.Delete(files, i, i+1), stateFile)
	}
	return files
}

// removeState removes all that this program keeps on a host, when nothing is left
// to undo. What somebody else wrote into our files stays, see step.Reset.
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

// sealedName holds, in step.Dir, the ticket of the identity as it came out of it,
// a secret, until the host is through: a run that was cut off does not ask for the
// passphrase again, and takes nothing in its place.
const sealedName = "sealed-join.yaml"

// readSealed gives the ticket that was kept, or what the state says of one, which
// lacks its secrets; nil without either.
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

// saveSealed brings the ticket to the host's disk, where it came out of the
// identity in this run.
func (r *run) saveSealed() error {
	if r.keys == nil {
		return nil
	}
	return writeState(r.host, sealedName, r.keys.Text)
}

// removeSealed removes it once nothing is to be joined any more.
func removeSealed(h *host.Host) error {
	if err := h.With(host.Unrecorded{}).State().Remove(step.Dir + "/" + sealedName); err != nil {
		return fmt.Errorf("cannot remove the ticket of the identity: %w", err)
	}
	return nil
}
