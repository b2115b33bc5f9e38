// Package host is the only code that touches a machine: its files below a root,
// and its programs by argv. What changes something records the prior state
// first, so that it can be undone after any crash.
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

// Runner runs a program to its end and returns what it wrote to stdout. A
// program that could not be run or ended badly gives a *CommandError.
type Runner interface {
	Run(ctx context.Context, c Cmd) ([]byte, error)
}

// Cmd is a program and its arguments; there is no shell between. Stdin nil is
// empty. An error of Stdin ends the program, and is what Run returns. Log, where
// it is set, takes all that the program writes, and Run returns none of it: such
// a program goes on to its own end where this one is killed, as nothing breaks
// off that it writes to.
type Cmd struct {
	Argv  []string
	Stdin io.Reader
	Log   *os.File // open for reading too: the end of it is in the error
}

// Command makes a Cmd.
func Command(argv ...string) Cmd { return Cmd{Argv: argv} }

// Recorder keeps the state before a change where a crash cannot take it: both
// return only when it is on the disk.
type Recorder interface {
	// File keeps what is at path now; after is what will be there.
	File(path string, now FileState, after []byte) error
	// Undo keeps the command that takes a change back.
	Undo(argv []string) error
}

// FileState is a file before a change. Context is its SELinux context, "" for
// none; Link is where it led, for a symbolic link.
type FileState struct {
	Absent   bool
	Content  []byte
	Mode     fs.FileMode // permissions
	UID, GID int
	Context  string
	Link     string
}

// Host is a machine. Every path is resolved below Root. Without a Recorder it
// refuses to change anything. Software is how programs come to it, nil until it
// is known which bundle it has.
type Host struct {
	Root string
	Runner
	Recorder Recorder
	Software Software
}

// Software says, as commands that an operator types, what brings programs to a
// host and what room it can give back.
type Software interface {
	// InstallHint is what installs programs from the bundle.
	InstallHint(programs ...string) string
	// FreeHint is what removes data that can be had again.
	FreeHint() string
}

// FreeHint is what frees room on any disk of h, as a sentence.
func (h *Host) FreeHint() string {
	const journal = "journalctl --vacuum-size=100M"
	if h.Software == nil {
		return journal + " frees some"
	}
	return journal + " and " + h.Software.FreeHint() + " free some"
}

// Local is the machine that this program runs on.
func Local() *Host { return &Host{Root: "/", Runner: Exec{}} }

// With is h with another recorder, nil for a host that is only looked at.
func (h *Host) With(r Recorder) *Host {
	c := *h
	c.Recorder = r
	return &c
}

// ErrReadOnly is what changes give on a host without a Recorder.
var ErrReadOnly = errors.New("this host is only looked at")

// Path is where path of the host lies on this machine.
func (h *Host) Path(path string) string { return filepath.Join(h.Root, path) }

// ReadFile reads a file of the host.
func (h *Host) ReadFile(path string) ([]byte, error) { return os.ReadFile(h.Path(path)) }

// Text reads a file that may be missing: "" then.
func (h *Host) Text(path string) (string, error) {
	b, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Exists says whether there is something at path.
func (h *Host) Exists(path string) (bool, error) {
	_, err := os.Stat(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// ReadDir lists the names in a directory, sorted; a missing one has none.
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

// Change runs a program that changes something. undo is the command that takes it
// back, kept before; nil is for a change that another step's undo takes back.
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

// RecordUndo keeps the command that takes back what follows. What is undone is
// undone in reverse, so it runs when all that came after it was taken back.
func (h *Host) RecordUndo(argv ...string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot keep how to undo a change: %w", ErrReadOnly)
	}
	if err := h.Recorder.Undo(argv); err != nil {
		return fmt.Errorf("cannot keep %s, which undoes a change: %w", CommandLine(argv), err)
	}
	return nil
}
