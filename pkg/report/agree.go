package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
)

// Members that describe the others.
const (
	lockName     = "bundle.lock"
	manifestName = "bundle.yaml"
	sbomName     = "sbom.spdx.json"
	sumsName     = "SHA256SUMS"
)

// Agree compares what an archive says of itself with what it holds: the lock with
// the index, the packages, the image layout and the files, and SHA256SUMS with
// all of them. Each member has to follow from the lock, and all of the lock has to
// be there. locked is false for an archive without a lock, of which nothing can
// be said. The error is an *archive.DamageError. Only small members are read.
func Agree(r *archive.Reader) (locked bool, err error) {
	if _, err := r.Stat(lockName); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l, err := Lock(r)
	if err != nil {
		return true, &archive.DamageError{Path: lockName, Reason: err.Error()}
	}
	return true, agree(r, l)
}

func agree(r *archive.Reader, l *manifest.Lock) error {
	a := &agreement{members: map[string]manifest.Artifact{}}
	for _, m := range r.Index().Members {
		a.members[m.Path] = m.Artifact
	}
	if idx := r.Index(); idx.Name != l.Name || idx.Platform != l.Platform {
		a.problem("it is for %s %s/%s, but index.json is for %s %s/%s", l.Name, l.Platform.Family, l.Platform.Arch, idx.Name, idx.Platform.Family, idx.Platform.Arch)
	}
	if err := a.sums(r); err != nil {
		return err
	}
	for _, name := range []string{lockName, manifestName, sbomName, sumsName, archive.ProgramMember(archive.ProgramName, l.Platform.Arch)} {
		delete(a.members, name)
	}
	a.packages(l.Packages)
	for _, f := range l.Files {
		a.take(manifest.Artifact{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Kind: manifest.KindFile, Roles: f.Roles})
	}
	if err := a.images(r, l.Images); err != nil {
		return &archive.DamageError{Path: lockName, Reason: err.Error()}
	}
	for _, m := range r.Index().Members {
		if _, left := a.members[m.Path]; left {
			a.problem("it has no entry for %s, which is in the archive", m.Path)
		}
	}
	if len(a.problems) == 0 {
		return nil
	}
	const most = 10
	if more := len(a.problems) - most; more > 0 {
		a.problems = append(a.problems[:most], fmt.Sprintf("and %d more", more))
	}
	return &archive.DamageError{Path: lockName, Reason: strings.Join(a.problems, "; ")}
}

// agreement holds the members that nothing has accounted for yet.
type agreement struct {
	members  map[string]manifest.Artifact
	problems []string
}

func (a *agreement) problem(format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf(format, args...))
}

// take accounts for the member that has to be want.
func (a *agreement) take(want manifest.Artifact) {
	have, ok := a.members[want.Path]
	delete(a.members, want.Path)
	switch {
	case !ok:
		a.problem("it lists %s, which is not in the archive", want.Path)
	case have.SHA256 != want.SHA256:
		a.problem("it has sha256 %s for %s, whose sha256 is %s", want.SHA256, want.Path, have.SHA256)
	case have.Size != want.Size:
		a.problem("it has %d bytes for %s, whose size is %d", want.Size, want.Path, have.Size)
	case have.Kind != want.Kind, !sameRoles(have.Roles, want.Roles):
		a.problem("%s has other roles or another kind in it", want.Path)
	}
}

func sameRoles(a, b []manifest.Role) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// packages accounts for rpms/; its metadata is compared with the packages by
// yum, which reads both.
func (a *agreement) packages(list []manifest.LockedPackage) {
	for _, p := range list {
		a.take(manifest.Artifact{Path: path.Join("rpms", p.NEVRA.FileName()), Size: p.Size, SHA256: p.SHA256, Kind: manifest.KindRPM})
	}
	for name, m := range a.members {
		if m.Kind == manifest.KindRepodata && path.Dir(name) == "rpms/repodata" && len(list) > 0 {
			delete(a.members, name)
		}
	}
}

// images accounts for images/.
func (a *agreement) images(r *archive.Reader, list []manifest.LockedImage) error {
	if _, err := r.Stat(image.Dir); errors.Is(err, fs.ErrNotExist) && len(list) == 0 {
		return nil
	}
	paths, err := image.Agree(r, list)
	if err != nil {
		return err
	}
	for name, roles := range paths {
		have, ok := a.members[name]
		delete(a.members, name)
		switch {
		case !ok:
			a.problem("%s is not in the archive", name)
		case have.Kind != manifest.KindImage, !sameRoles(have.Roles, roles):
			a.problem("%s has other roles or another kind in it", name)
		}
	}
	return nil
}

// sums compares SHA256SUMS with the index.
func (a *agreement) sums(r *archive.Reader) error {
	if _, ok := a.members[sumsName]; !ok {
		return nil
	}
	text, err := r.ReadFile(sumsName)
	if err != nil {
		return err
	}
	want := map[string]string{}
	for name, m := range a.members {
		if name != sumsName {
			want[name] = m.SHA256
		}
	}
	wrong := func(line string) error {
		return &archive.DamageError{Path: sumsName, Reason: fmt.Sprintf("it differs from index.json: %.120q", line)}
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || want[name] != sum {
			return wrong(lines.Text())
		}
		delete(want, name)
	}
	if err := lines.Err(); err != nil {
		return wrong(err.Error())
	}
	for name := range want {
		return wrong(name + " is missing")
	}
	return nil
}
