package step

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
