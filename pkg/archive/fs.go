package archive

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// info describes a member or a directory.
type info struct {
	path string
	size int64
	mode fs.FileMode
}

func memberInfo(m Member) info {
	return info{path: m.Path, size: m.Size, mode: fs.FileMode(mode(m.Kind))} //nolint:gosec // one of two constants
}

func (i info) Name() string               { return path.Base(i.path) }
func (i info) Size() int64                { return i.size }
func (i info) Mode() fs.FileMode          { return i.mode }
func (i info) ModTime() time.Time         { return time.Unix(tarTime, 0).UTC() }
func (i info) IsDir() bool                { return i.mode.IsDir() }
func (i info) Sys() any                   { return nil }
func (i info) Type() fs.FileMode          { return i.mode.Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) String() string             { return fs.FormatFileInfo(i) }

func dirInfo(name string) info {
	const dirMode = 0o755
	return info{path: name, mode: fs.ModeDir | dirMode}
}

// directories lists what each directory holds, sorted by name.
func directories(members []Member, indexSize int64) map[string][]fs.DirEntry {
	dirs := map[string][]fs.DirEntry{".": nil}
	add := func(i info) {
		for {
			dir := path.Dir(i.path)
			_, known := dirs[dir]
			dirs[dir] = append(dirs[dir], i)
			if known {
				return
			}
			i = dirInfo(dir)
		}
	}
	for _, m := range members {
		add(memberInfo(m))
	}
	add(memberInfo(Member{Artifact: indexArtifact(indexSize)}))
	for _, entries := range dirs {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	return dirs
}

// find resolves name: a directory's entries, the number of a member, or neither
// for index.json.
func (r *Reader) find(op, name string) (entries []fs.DirEntry, member int, i info, err error) {
	if !fs.ValidPath(name) {
		return nil, -1, info{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if n, ok := r.members[name]; ok {
		return nil, n, memberInfo(r.index.Members[n]), nil
	}
	if name == IndexName {
		return nil, -1, memberInfo(Member{Artifact: indexArtifact(int64(len(r.text)))}), nil
	}
	if entries, ok := r.dirs[name]; ok {
		return entries, -1, dirInfo(name), nil
	}
	return nil, -1, info{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open opens a member, index.json or a directory. Reads from a file may return a
// *DamageError.
func (r *Reader) Open(name string) (fs.File, error) {
	entries, member, i, err := r.find("open", name)
	switch {
	case err != nil:
		return nil, err
	case i.IsDir():
		return &dir{info: i, entries: entries}, nil
	case member < 0:
		f := &file{r: r, number: -1, info: i, member: Member{Artifact: indexArtifact(i.size)}}
		return &smallFile{file: f, content: bytes.NewReader(r.text)}, nil
	}
	return r.open(member), nil
}

// Stat describes a member, index.json or a directory.
func (r *Reader) Stat(name string) (fs.FileInfo, error) {
	_, _, i, err := r.find("stat", name)
	if err != nil {
		return nil, err
	}
	return i, nil
}

// ReadDir lists a directory, sorted by name.
func (r *Reader) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, _, i, err := r.find("readdir", name)
	if err == nil && !i.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: errNotDir}
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(entries), nil
}

// ReadFile returns the content of a member; every byte was compared with the
// hash in the index. A member of over 64 MiB is an error.
func (r *Reader) ReadFile(name string) (content []byte, err error) {
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, ok := f.(fs.ReadDirFile); ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsDir}
	}
	if small, ok := f.(*smallFile); ok && small.content == nil {
		return r.load(small.file)
	}
	if info, err := f.Stat(); err != nil || info.Size() > maxReadFile {
		return nil, errors.Join(err, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is larger than %d MiB", maxReadFile>>20)})
	}
	var b bytes.Buffer
	b.Grow(inMemory)
	if _, err := b.ReadFrom(f); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// maxReadFile is in bytes.
const maxReadFile = 64 << 20

var (
	errNotDir = errors.New("not a directory")
	errIsDir  = errors.New("is a directory")
)

// dir is a directory, open.
type dir struct {
	info    info
	entries []fs.DirEntry
	next    int
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }

func (d *dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.path, Err: errIsDir}
}

// ReadDir returns the next n entries, or all remaining ones if n <= 0.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	left := len(d.entries) - d.next
	if n <= 0 || n > left {
		if n > 0 && left == 0 {
			return nil, io.EOF
		}
		n = left
	}
	list := slices.Clone(d.entries[d.next : d.next+n])
	d.next += n
	return list, nil
}

var (
	_ fs.ReadDirFS   = (*Reader)(nil)
	_ fs.StatFS      = (*Reader)(nil)
	_ fs.ReadFileFS  = (*Reader)(nil)
	_ fs.ReadDirFile = (*dir)(nil)
	_ io.ReaderAt    = (*file)(nil)
	_ io.Seeker      = (*file)(nil)
	_ io.ReaderAt    = (*smallFile)(nil)
	_ io.Seeker      = (*smallFile)(nil)
)
