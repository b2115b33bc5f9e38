package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"kubecrate/pkg/atomicfile"
)

// StateDir is this program's state directory. Only root can read it: it contains tickets
// and keys.
const StateDir = "/var/lib/kubecrate"

const (
	stateDirMode  fs.FileMode = 0o700
	stateFileMode fs.FileMode = 0o600
)

// State is the files in StateDir, each by its full path. They are not recorded as
// changes: an original would be a copy of a secret. Writing them requires a Recorder,
// see Unrecorded.
type State struct{ h *Host }

// State returns the files of this program on h.
func (h *Host) State() State { return State{h} }

// Unrecorded is a Recorder that records nothing.
type Unrecorded struct{}

// File records nothing.
func (Unrecorded) File(string, FileState, []byte) error { return nil }

// Undo records nothing.
func (Unrecorded) Undo([]string) error { return nil }

// ReadJSON reads a file into v; if the file is missing or empty, found is false and v
// unchanged.
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

// Write writes a file that only root can read. It is on disk when Write returns; after
// an error the file is unchanged.
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

// Remove removes files and directories with their content, durably. A missing one is not
// an error.
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

// List lists the existing paths, sorted.
func (s State) List() ([]string, error) {
	names, err := s.h.ReadDir(StateDir)
	for i := range names {
		names[i] = path.Join(StateDir, names[i])
	}
	return names, err
}

// may returns nil for a path below StateDir on a writable host.
func (s State) may(name string) error {
	switch {
	case s.h.Recorder == nil:
		return ErrReadOnly
	case !strings.HasPrefix(name, StateDir+"/") || path.Clean(name) != name:
		return errors.New("the path does not belong to this program")
	}
	return nil
}

// Store writes the content of r to path, which belongs to this program, without
// recording: there is no original to restore. If reading r fails, path is unchanged. The
// file is on disk when Store returns.
func (s State) Store(path string, r io.Reader, mode fs.FileMode) error {
	if err := s.own(path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := store(s.h.Path(path), r, mode); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func store(at string, r io.Reader, mode fs.FileMode) (err error) {
	if err := atomicfile.MkdirAll(filepath.Dir(at), dirMode); err != nil {
		return err
	}
	f, err := atomicfile.Create(at, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	if _, err := f.ReadFrom(r); err != nil {
		return err
	}
	return f.Commit()
}

// Discard removes path, which belongs to this program, with everything below it. A
// missing path is not an error.
func (s State) Discard(path string) error {
	if err := s.own(path); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	return os.RemoveAll(s.h.Path(path))
}

// Log creates or truncates path, which belongs to this program, for the output of
// programs.
func (s State) Log(path string) (*os.File, error) {
	if err := s.own(path); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	const mode = 0o600
	if err := os.MkdirAll(filepath.Dir(s.h.Path(path)), dirMode); err != nil {
		return nil, err
	}
	//atomicfile:except a log, which other programs write
	return os.OpenFile(s.h.Path(path), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, mode)
}

// own returns nil for a path that contains this program's name on a writable host.
func (s State) own(p string) error {
	switch {
	case s.h.Recorder == nil:
		return ErrReadOnly
	case !strings.Contains(path.Clean("/"+p), "kubecrate"):
		return errors.New("the path does not belong to this program")
	}
	return nil
}
