// Package host is the only code that accesses a machine: its files below a root, and its
// programs by argv. A change first records the previous state, so that it can be undone
// after any crash.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Runner runs a program to completion and returns its stdout. If it fails, the error is
// a *CommandError.
type Runner interface {
	Run(ctx context.Context, c Cmd) ([]byte, error)
}

// Cmd is a program and its arguments, without a shell. A nil Stdin is empty. An error of
// Stdin kills the program, and Run returns it. If Log is set, it gets all output, and Run
// returns none: such a program continues if this process is killed, since its output is
// not a pipe.
type Cmd struct {
	Argv  []string
	Stdin io.Reader
	Log   *os.File // also open for reading: errors quote its end
}

// Command returns a Cmd.
func Command(argv ...string) Cmd { return Cmd{Argv: argv} }

// Recorder records the state before a change: both methods return once it is on disk.
type Recorder interface {
	// File records the state of path; after is its future content.
	File(path string, now FileState, after []byte) error
	// Undo records the command that undoes a change.
	Undo(argv []string) error
}

// FileState is the state of a file. Context is its SELinux context, "" for none; Link is
// the target of a symbolic link.
type FileState struct {
	Absent   bool
	Content  []byte
	Mode     fs.FileMode // permissions
	UID, GID int
	Context  string
	Link     string
}

// Host is a machine. Every path is resolved below Root. Without a Recorder it is
// read-only. Software is how programs are installed on it, nil until its bundle is known.
type Host struct {
	Root string
	Runner
	Recorder Recorder
	Software Software
}

// Software returns commands for an operator to type, which install programs on a host or
// free disk space.
type Software interface {
	// InstallHint installs programs from the bundle.
	InstallHint(programs ...string) string
	// FreeHint removes caches.
	FreeHint() string
}

// FreeHint is how to free disk space on h, as a sentence.
func (h *Host) FreeHint() string {
	const journal = "journalctl --vacuum-size=100M"
	if h.Software == nil {
		return journal + " frees some"
	}
	return journal + " and " + h.Software.FreeHint() + " free some"
}

// Local is the machine that this program runs on.
func Local() *Host { return &Host{Root: "/", Runner: Exec{}} }

// With returns h with another recorder, nil for read-only.
func (h *Host) With(r Recorder) *Host {
	c := *h
	c.Recorder = r
	return &c
}

// ErrReadOnly is the error of changes on a host without a Recorder.
var ErrReadOnly = errors.New("this host is opened read-only")

// Path returns the path on this machine of a path of the host.
func (h *Host) Path(path string) string { return filepath.Join(h.Root, path) }

// ReadFile reads a file of the host.
func (h *Host) ReadFile(path string) ([]byte, error) { return os.ReadFile(h.Path(path)) }

// Text reads a file; a missing one is "".
func (h *Host) Text(path string) (string, error) {
	b, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Exists reports whether path exists.
func (h *Host) Exists(path string) (bool, error) {
	_, err := os.Stat(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// ReadDir lists the names in a directory, sorted; a missing directory has none.
func (h *Host) ReadDir(path string) ([]string, error) {
	list, err := os.ReadDir(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

// Query runs a program that changes nothing.
func (h *Host) Query(ctx context.Context, argv ...string) ([]byte, error) {
	return h.Run(ctx, Command(argv...))
}

// Change runs a program that changes something. undo is the command that undoes it,
// recorded before; nil is for a change that another undo covers.
func (h *Host) Change(ctx context.Context, c Cmd, undo []string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot run %s: %w", CommandLine(c.Argv), ErrReadOnly)
	}
	if undo != nil {
		if err := h.RecordUndo(undo...); err != nil {
			return err
		}
	}
	_, err := h.Run(ctx, c)
	return err
}

// RecordUndo records the command that undoes the following changes. Undoing is in
// reverse order, so it runs after everything later was undone.
func (h *Host) RecordUndo(argv ...string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot record how to undo a change: %w", ErrReadOnly)
	}
	if err := h.Recorder.Undo(argv); err != nil {
		return fmt.Errorf("cannot record %s, which undoes a change: %w", CommandLine(argv), err)
	}
	return nil
}
