package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// write writes the archive, reads it back and renames it to its final name.
func write(ctx context.Context, w *volumeWriter, o CreateOptions, entries []Entry) (_ *Written, err error) {
	parts := &partHasher{sum: sha256.New()}
	all := newHashWriter(w)
	all.parts = parts
	index, err := Create(ctx, all, o, entries)
	sum := all.close()
	if err != nil {
		return nil, err
	}
	if err := w.sync(); err != nil {
		return nil, err
	}
	// Reading back takes as much memory as compressing did.
	if o.Packer != nil {
		o.Packer.rest()
	}
	runtime.GC()
	done := &Written{Index: index, Size: all.n, SHA256: sum, Sidecar: w.path + SidecarSuffix}
	for i, name := range w.names() {
		v := w.volumes[i]
		f := WrittenFile{Path: name, Size: v.n, SHA256: v.sum, Tap: v.tap, file: v.file}
		if len(w.volumes) == 1 {
			f.SHA256 = sum
		}
		done.Files = append(done.Files, f)
	}
	r, err := w.readBack(ctx, o, parts.end().sums, entries)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	done.IndexText = r.IndexBytes()
	defer func() {
		for _, p := range done.Programs {
			err = errors.Join(err, p.file.Abort())
		}
	}()
	for _, p := range o.Programs {
		f, err := copyProgram(ctx, r, p, filepath.Dir(w.path), o.Tap)
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", p.Name, err)
		}
		done.Programs = append(done.Programs, f)
	}
	if err := publish(w, done); err != nil {
		return nil, err
	}
	if o.Finish != nil {
		if err := o.Finish(done); err != nil {
			return nil, err
		}
	}
	if err := done.inPlace(); err != nil {
		return nil, err
	}
	return done, nil
}

// readBack verifies the written files against the hashes sums and returns a reader
// of them.
func (w *volumeWriter) readBack(ctx context.Context, o CreateOptions, sums [][sha256.Size]byte, entries []Entry) (*Reader, error) {
	v := &volumes{starts: []int64{0}}
	for i, vol := range w.volumes {
		dropCache(vol.file.File)
		v.files = append(v.files, vol.file.File)
		v.starts = append(v.starts, v.starts[i]+vol.n)
	}
	s := &Source{path: w.path, base: w.path, v: v}
	s.pin(sums)
	r, err := Open(s, s.Size())
	if err == nil {
		err = r.Verify(ctx, nil, o.Report)
	}
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return nil, err
	case s.exchanged.Load():
		return nil, hint.With(fmt.Errorf("the written archive cannot be read back: %s", someDamages(err)), "the disk of %s loses data: write to another one with -o DIR", filepath.Dir(w.path))
	}
	return nil, purgeCaches(err, o.Groups, entries)
}

// purgeCaches removes the sources of damaged members from the caches: the bytes on
// disk are those that were written, so the source was damaged.
func purgeCaches(err error, groups GroupCache, entries []Entry) error {
	failed := fmt.Errorf("the cache was damaged: %s", someDamages(err))
	bad := map[string]bool{}
	for _, d := range Damages(err) {
		bad[d.Path] = true
	}
	var errs []error
	for _, e := range entries {
		if bad[e.Path] && e.Forget != nil {
			errs = append(errs, e.Forget())
		}
	}
	if groups != nil {
		errs = append(errs, groups.Forget())
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(failed, err)
	}
	return hint.With(failed, "the damaged entries were removed from the cache: run the same command again")
}

// someDamages is the text of an error of Open or Verify, without its hint, which is
// for copied archives.
func someDamages(err error) string {
	const most = 3
	list := Damages(err)
	if len(list) == 0 {
		return err.Error()
	}
	var texts []string
	for _, d := range list[:min(most, len(list))] {
		texts = append(texts, d.Error())
	}
	if more := len(list) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// copyProgram writes the member of p beside the archive, under a temporary name.
func copyProgram(ctx context.Context, r *Reader, p Program, dir string, tap func() io.Writer) (w WrittenFile, err error) {
	const executable = 0o755
	member, err := r.Open(p.Member)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, member.Close()) }()
	f, err := atomicfile.CreateNext(filepath.Join(dir, p.Name), executable)
	if err != nil {
		return w, err
	}
	w = WrittenFile{Path: filepath.Join(dir, p.Name), file: f}
	sum := sha256.New()
	to := []io.Writer{f, sum}
	if tap != nil {
		w.Tap = tap()
		to = append(to, w.Tap)
	}
	info, err := member.Stat()
	if err == nil {
		// EOF comes only if the hash is right.
		err = copyAll(ctx, io.MultiWriter(to...), member, stage, p.Name, info.Size(), nil)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return w, errors.Join(err, f.Abort())
	}
	w.Size, w.SHA256 = info.Size(), hex.EncodeToString(sum.Sum(nil))
	return w, nil
}

// publish renames archive, programs and sidecar to their final names. The old
// sidecar and signatures are removed first: a crash between two renames must not
// leave any that refer to other files. The sidecar comes last, with a sync of all
// names.
func publish(w *volumeWriter, done *Written) (err error) {
	const mode = 0o644
	sidecar, err := atomicfile.CreateNext(done.Sidecar, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sidecar.Abort()) }()
	if _, err := sidecar.Write([]byte(sidecarText(filepath.Base(w.path), done))); err != nil {
		return err
	}
	if err := sidecar.Sync(); err != nil {
		return err
	}
	names := []string{filepath.Base(w.path)}
	for _, p := range done.Programs {
		names = append(names, filepath.Base(p.Path))
	}
	if err := removeSignatures(filepath.Dir(w.path), names); err != nil {
		return err
	}
	if err := os.Remove(done.Sidecar); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := dropPrograms(done); err != nil {
		return err
	}
	for _, list := range [][]WrittenFile{done.Files, done.Programs} {
		for i := range list {
			f := &list[i]
			if err := f.file.Publish(filepath.Base(f.Path)); err != nil {
				return err
			}
			if f.info, err = f.file.Stat(); err != nil {
				return err
			}
		}
	}
	if err := w.removeStale(len(w.volumes)); err != nil {
		return err
	}
	return sidecar.Commit()
}

// dropPrograms removes programs that are about to be replaced from the sidecars of
// other archives: sha256sum -c would report them as damaged.
func dropPrograms(done *Written) error {
	const mode, most = 0o644, 1000
	dir := media.At(filepath.Dir(done.Sidecar))
	names, err := dir.List(".", most, func(name string) bool { return strings.HasSuffix(name, SidecarSuffix) })
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := dir.ReadFile(name, maxSidecar)
		if err != nil {
			continue // not ours: no archive can be opened with it either
		}
		kept := text
		for _, p := range done.Programs {
			kept = withoutProgram(kept, filepath.Base(p.Path), p.SHA256)
		}
		if bytes.Equal(kept, text) {
			continue
		}
		if err := atomicfile.WriteFile(dir.Join(name), kept, mode); err != nil {
			return err
		}
	}
	return nil
}

// withoutProgram returns the text of a sidecar without the line of a program if its
// hash differs.
func withoutProgram(text []byte, name, sum string) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		hash, of, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if isSum(hash) && strings.TrimLeft(of, " *") == name && !strings.EqualFold(hash, sum) {
			continue
		}
		kept = append(kept, line...)
	}
	return kept
}

// inPlace checks that the names still refer to the written files.
func (d *Written) inPlace() error {
	for _, list := range [][]WrittenFile{d.Files, d.Programs} {
		for _, f := range list {
			there, err := os.Lstat(f.Path)
			if err == nil && os.SameFile(there, f.info) && there.Size() == f.info.Size() && there.ModTime().Equal(f.info.ModTime()) {
				continue
			}
			return hint.With(errors.Join(fmt.Errorf("%s was replaced by another process", f.Path), err),
				"write to a private directory with -o DIR and copy the archive to the stick from there")
		}
	}
	return nil
}
