package step

import (
	"errors"
	"syscall"
)

// Watch tells seen of each write to the journal's file, and of each sync.
func (j *Journal) Watch(seen func(what string)) { j.file = watched{j.file, seen} }

type watched struct {
	logFile
	seen func(string)
}

func (w watched) Write(b []byte) (int, error) {
	w.seen("write")
	return w.logFile.Write(b)
}

func (w watched) Sync() error {
	w.seen("sync")
	return w.logFile.Sync()
}

// Full lets the disk be full, for the journal's file, while full says so.
func (j *Journal) Full(full func() bool) { j.file = cramped{j.file, full} }

type cramped struct {
	logFile
	full func() bool
}

func (c cramped) Write(b []byte) (int, error) {
	if !c.full() {
		return c.logFile.Write(b)
	}
	n, err := c.logFile.Write(b[:len(b)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

// Empty says that no change is left to undo.
func (j *Journal) Empty() bool {
	undone := j.undone()
	for i, r := range j.records {
		if r.changes() && !undone[i] {
			return false
		}
	}
	return true
}
