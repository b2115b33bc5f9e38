package rpmrepo

import (
	"context"
	"crypto/sha1" //nolint:gosec // repositories of EL5 days have nothing else
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
)

// LoadFiles adds to Files of all packages the paths that wanted holds, read
// from filelists.xml. Paths that primary.xml lists stay. It returns the packages
// that the list does not mention: what else they own is not known.
func (r *Repository) LoadFiles(ctx context.Context, wanted map[string]bool) (unlisted []*repodata.Package, err error) {
	r.full.Lock()
	defer r.full.Unlock()
	if r.filelists.Type == "" {
		return nil, fmt.Errorf("cannot load file lists of repository %s: its repomd.xml names no filelists.xml", r.ID)
	}
	if err := r.filelists.Check(); err != nil {
		return nil, fmt.Errorf("cannot load file lists of repository %s: its repomd.xml: %w", r.ID, err)
	}
	var lists map[*repodata.Package][]nevra.File
	err = r.read(ctx, r.filelists, r.mirrors, func(in io.Reader) (err error) {
		lists, err = r.readFiles(ctx, in, wanted)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot load file lists of repository %s: %w", r.ID, err)
	}
	for _, p := range r.Packages { // only now that all was read
		files, ok := lists[p]
		if !ok {
			unlisted = append(unlisted, p)
		}
		p.Files = union(p.Files, files)
	}
	return unlisted, nil
}

// Paths calls add with every absolute path that a relation of the repository's
// packages names outside of what primary.xml lists: those that LoadFiles is for.
// Paths within rich dependencies are among them.
func (r *Repository) Paths(add func(path string)) {
	for _, p := range r.Packages {
		for _, list := range [][]nevra.Relation{
			p.Requires, p.Conflicts, p.Obsoletes, p.Recommends, p.Suggests, p.Supplements, p.Enhances,
		} {
			for _, rel := range list {
				pathsOf(rel.Name, add)
			}
		}
	}
}

// pathsOf finds the paths in the name of a relation: the name itself, or the
// words of a rich dependency.
func pathsOf(name string, add func(string)) {
	words := []string{name}
	if strings.HasPrefix(name, "(") {
		words = strings.FieldsFunc(name, func(c rune) bool { return c == ' ' || c == '(' || c == ')' })
	}
	for _, word := range words {
		if strings.HasPrefix(word, "/") && !repodata.IsPrimary(word) {
			add(word)
		}
	}
}

// readFiles finds the wanted files of each package that filelists.xml mentions.
func (r *Repository) readFiles(ctx context.Context, in io.Reader, wanted map[string]bool) (map[*repodata.Package][]nevra.File, error) {
	byID := make(map[string][]*repodata.Package, len(r.Packages))
	for _, p := range r.Packages {
		byID[p.Checksum.Value] = append(byID[p.Checksum.Value], p)
	}
	lists := make(map[*repodata.Package][]nevra.File, len(r.Packages))
	keep := func(path []byte) bool { return wanted[string(path)] }
	err := repodata.ReadFilelists(ctx, in, keep, func(id string, n nevra.NEVRA, files []nevra.File) error {
		for _, p := range byID[id] {
			if p.NEVRA == n {
				lists[p] = files
			}
		}
		return nil
	})
	return lists, err
}

// union is a and those of b that a lacks.
func union(a, b []nevra.File) []nevra.File {
	have := make(map[string]bool, len(a))
	for _, f := range a {
		have[f.Path] = true
	}
	for _, f := range b {
		if !have[f.Path] {
			a = append(a, f)
		}
	}
	return a
}

// decompressed hands the content of a compressed metadata file to fn and checks
// that all of it is what repomd.xml promises.
func decompressed(name string, file *os.File, d repodata.Data, fn func(io.Reader) error) (err error) {
	var in io.ReadCloser
	if d.OpenSize >= 0 {
		in, err = repodata.DecompressLimit(name, file, d.OpenSize)
	} else {
		in, err = repodata.Decompress(name, file)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var plain io.Reader = in
	sum := newHash(d.OpenChecksum.Type)
	if sum != nil {
		plain = io.TeeReader(in, sum)
	}
	if err := fn(plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return err
	}
	if sum == nil {
		return nil
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.OpenChecksum.Value {
		return fmt.Errorf("the decompressed %s has the %s %s, repomd.xml says %s", name, d.OpenChecksum.Type, got, d.OpenChecksum.Value)
	}
	return nil
}

func newHash(kind string) hash.Hash {
	switch kind {
	case "sha", "sha1":
		return sha1.New() //nolint:gosec // repositories of EL5 days have nothing else
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}
