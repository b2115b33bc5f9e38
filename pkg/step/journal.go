package step

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// Journal records which steps were started, and the state before every change, in a
// directory of the host:
//
//	journal.jsonl       a record a line, appended and synced before its step or change
//	originals/SHA256    contents of files, synced before the record
//
// An incomplete last line was being written when the machine crashed, and its change
// was never made: it is truncated.
type Journal struct {
	dir     string // on this machine
	file    logFile
	whole   int64 // length of the complete records in file
	records []record
}

// logFile is the part of *os.File that a journal uses.
type logFile interface {
	io.WriteSeeker
	io.Closer
	Name() string
	Sync() error
	Truncate(size int64) error
}

// record is a line of the journal: the start of a step, with the parameters of its
// Undo and Clean, and the steps that were started earlier although they come after it;
// a file, or the command that undoes a change; or (with Undoes) that
// an earlier record of a change was undone. Begin records are never undone: Undo and
// Clean may be called any number of times.
type record struct {
	Begin  string          `json:"begin,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Before []string        `json:"before,omitempty"`

	Step   string      `json:"step,omitempty"`
	File   *fileRecord `json:"file,omitempty"`
	Undo   []string    `json:"undo,omitempty"`
	Undoes int         `json:"undoes,omitempty"` // line number, from 1
}

// fileRecord is host.FileState with the hash of the content. After is the SHA-256 of
// the new content, "" for a removal.
type fileRecord struct {
	Path    string      `json:"path"`
	Absent  bool        `json:"absent,omitempty"`
	SHA256  string      `json:"sha256,omitempty"`
	Mode    fs.FileMode `json:"mode,omitempty"`
	UID     int         `json:"uid,omitempty"`
	GID     int         `json:"gid,omitempty"`
	Context string      `json:"context,omitempty"`
	Link    string      `json:"link,omitempty"`
	After   string      `json:"after,omitempty"`
}

// Dir is the directory of the journal; below ChangedDir are copies of files that were
// changed after install wrote them, made before they were restored.
const (
	Dir        = host.StateDir
	ChangedDir = Dir + "/changed"
)

const (
	journalName  = "journal.jsonl"
	originalsDir = "originals"
	privateDir   = 0o700
	privateFile  = 0o600
)

// OpenJournal opens the journal of h, or creates it. It must be closed.
func OpenJournal(h *host.Host) (j *Journal, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot open the journal in %s: %w", Dir, err)
		}
	}()
	dir := h.Path(Dir)
	if err := atomicfile.MkdirAll(filepath.Join(dir, originalsDir), privateDir); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, privateDir); err != nil {
		return nil, err
	}
	//atomicfile:except it grows by appending, and a torn last line is cut off
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, privateFile)
	if err != nil {
		return nil, err
	}
	j = &Journal{dir: dir, file: f}
	if err := errors.Join(j.load(), atomicfile.SyncDir(dir), atomicfile.SyncDir(filepath.Dir(dir))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// load reads the records and truncates an incomplete last line.
func (j *Journal) load() error {
	text, err := os.ReadFile(j.file.Name())
	if err != nil {
		return err
	}
	whole, err := j.parse(text)
	if err != nil {
		return err
	}
	if int64(len(text)) > whole {
		if err := j.file.Truncate(whole); err != nil {
			return err
		}
	}
	j.whole = whole
	_, err = j.file.Seek(whole, io.SeekStart)
	return err
}

// parse reads the records of text; whole is the length of its complete lines.
func (j *Journal) parse(text []byte) (whole int64, err error) {
	for {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			return whole, nil
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return whole, hint.With(fmt.Errorf("line %d is not a valid record: %w", len(j.records)+1, err),
				"cp -a %s %s.damaged, and delete that line from %s", Dir, Dir, journalName)
		}
		j.records = append(j.records, r)
		whole += int64(len(line)) + 1
		text = rest
	}
}

// Change is one that can be undone: the step that made it, and what undo does.
type Change struct {
	Step string `json:"step"`
	Undo string `json:"undo"`
}

// Changes lists what the journal of h can undo, in Reset's order: newest first. It
// changes nothing; a host without a journal has none.
func Changes(h *host.Host) ([]Change, error) {
	j, err := read(h)
	if err != nil {
		return nil, err
	}
	var list []Change
	for _, i := range j.open(func(string) bool { return true }) {
		r := j.records[i]
		c := Change{Step: r.Step, Undo: host.CommandLine(r.Undo)}
		if r.File != nil && r.File.Absent {
			c.Undo = "remove " + r.File.Path
		} else if r.File != nil {
			c.Undo = "restore " + r.File.Path
		}
		list = append(list, c)
	}
	return list, nil
}

// read returns the journal of h, read-only; without one it is empty.
func read(h *host.Host) (*Journal, error) {
	j := &Journal{}
	text, err := h.ReadFile(Dir + "/" + journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err == nil {
		_, err = j.parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal in %s: %w", Dir, err)
	}
	return j, nil
}

// Close closes the journal; all records are already on the disk.
func (j *Journal) Close() error { return j.file.Close() }

// append writes a record to the disk. If it cannot, as on a full disk, nothing of the
// record stays in the file: another one may follow once there is space again.
func (j *Journal) append(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err = j.file.Write(line); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_, seekErr := j.file.Seek(j.whole, io.SeekStart)
		return errors.Join(err, j.file.Truncate(j.whole), seekErr)
	}
	j.whole += int64(len(line))
	j.records = append(j.records, r)
	return nil
}

// of returns the recorder of one step.
func (j *Journal) of(step string) host.Recorder { return recorder{j, step} }

type recorder struct {
	j    *Journal
	step string
}

// File is host.Recorder's. A file that changes twice is recorded twice: undoing in
// reverse order restores the first original.
func (r recorder) File(path string, now host.FileState, after []byte) error {
	f := &fileRecord{Path: path, Absent: now.Absent, Mode: now.Mode, UID: now.UID, GID: now.GID, Context: now.Context, Link: now.Link}
	if after != nil {
		f.After = sum(after)
	}
	if !now.Absent && now.Link == "" {
		f.SHA256 = sum(now.Content)
		if err := r.j.keep(f.SHA256, now.Content); err != nil {
			return err
		}
	}
	return r.j.append(record{Step: r.step, File: f})
}

// Undo is host.Recorder's. A command that is already recorded and not undone is not
// recorded again: a step that is applied a second time would record its own state.
func (r recorder) Undo(argv []string) error {
	undone := r.j.undone()
	for i, old := range r.j.records {
		if old.Step == r.step && !undone[i] && host.CommandLine(old.Undo) == host.CommandLine(argv) {
			return nil
		}
	}
	return r.j.append(record{Step: r.step, Undo: argv})
}

// keep stores an original under its hash.
func (j *Journal) keep(name string, content []byte) error {
	path := filepath.Join(j.dir, originalsDir, name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return atomicfile.WriteFile(path, content, privateFile)
}

// undone returns the indexes of the records that were undone.
func (j *Journal) undone() map[int]bool {
	m := map[int]bool{}
	for _, r := range j.records {
		if r.Undoes > 0 {
			m[r.Undoes-1] = true
		}
	}
	return m
}

// Forget marks the changes of a step as undone, so that Reset keeps them.
func (j *Journal) Forget(step string) error {
	for _, i := range j.open(func(s string) bool { return s == step }) {
		if err := j.append(record{Undoes: i + 1}); err != nil {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
	}
	return nil
}

// changes reports whether r is the record of a change.
func (r record) changes() bool { return r.File != nil || len(r.Undo) > 0 }

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
