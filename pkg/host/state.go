package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"kubecrate/pkg/atomicfile"
)

// StateDir is where this program keeps what it has to know of a host. Only root
// reads it: tickets and keys are among it.
const StateDir = "/var/lib/kubecrate"

const (
	stateDirMode  fs.FileMode = 0o700
	stateFileMode fs.FileMode = 0o600
)

// State is the files in StateDir, each by its whole path. They are no change of
// the host, and not recorded: an original would be a copy of a secret. Like
// changes they are made only on a host with a Recorder; see Unrecorded.
type State struct{ h *Host }

// State gives access to what this program keeps on h.
func (h *Host) State() State { return State{h} }

// Unrecorded is a Recorder for changes of which nothing has to be kept.
type Unrecorded struct{}

// File keeps nothing.
func (Unrecorded) File(string, FileState, []byte) error { return nil }

// Undo keeps nothing.
func (Unrecorded) Undo([]string) error { return nil }

// ReadJSON reads a file into v; found is false, and v as it was, where the file is
// missing or empty.
func (s State) ReadJSON(name string, v any) (found bool, err error) {
	text, err := s.h.Text(name)
	if err == nil && text != "" {
		found, err = true, json.Unmarshal([]byte(text), v)
	}
	if err != nil {
		return found, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return found, nil
}

// WriteJSON is Write with v as JSON.
func (s State) WriteJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return s.Write(name, append(text, '\n'))
}

// Write gives a file the content, which only root can read. It is on the disk
// when Write returns; on an error the file is what it was.
func (s State) Write(name string, content []byte) error {
	err := s.may(name)
	if err == nil {
		err = atomicfile.MkdirAll(s.h.Path(path.Dir(name)), stateDirMode)
	}
	if err == nil {
		err = atomicfile.WriteFile(s.h.Path(name), content, stateFileMode)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// Remove removes files, and directories with all that is in them. When it returns
// they stay away. What is missing is no error.
func (s State) Remove(names ...string) error {
	var errs []error
	for _, name := range names {
		err := s.may(name)
		if err == nil {
			err = os.RemoveAll(s.h.Path(name))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot remove %s: %w", name, err))
		}
	}
	if err := atomicfile.SyncDir(s.h.Path(StateDir)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// List lists the paths of what is there, sorted.
func (s State) List() ([]string, error) {
	names, err := s.h.ReadDir(StateDir)
	for i := range names {
		names[i] = path.Join(StateDir, names[i])
	}
	return names, err
}

// may is nil for a path below StateDir, on a host that may be changed.
func (s State) may(name string) error {
	switch {
	case s.h.Recorder == nil:
		return ErrReadOnly
	case !strings.HasPrefix(name, StateDir+"/") || path.Clean(name) != name:
		return errors.New("it is not our own")
	}
	return nil
}
