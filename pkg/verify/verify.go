// Package verify verifies every byte of an archive, the files next to it, and its
// signatures.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	pathpkg "path"
	"path/filepath"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/table"
	"kubecrate/pkg/trust"
)

// Verified is the result of a successful verification. Sizes are bytes.
type Verified struct {
	Path       string `json:"path"`
	Members    int    `json:"members"`
	Compressed int64  `json:"compressed"`
	Raw        int64  `json:"raw"`
	Images     bool   `json:"images"`  // it holds images, and each is complete
	Sidecar    bool   `json:"sidecar"` // the .sha256 beside it was there and agrees
	Locked     bool   `json:"locked"`  // its bundle.lock says what is in it, and nothing else is

	// Programs are the installers beside the archive that are members of it, by
	// name; Others are none, and signed by the same key; Unchecked are those that
	// this archive says nothing about.
	Programs  []string `json:"programs,omitempty"`
	Others    []string `json:"others,omitempty"`
	Unchecked []string `json:"unchecked,omitempty"`

	Trust  *trust.Trusted `json:"trust,omitempty"`  // who signed it; nil where that was not asked for
	Signed []string       `json:"signed,omitempty"` // files with right signatures for stock tools, by name

	index []byte
	base  string
	files []trust.File // of the archive, and programs that are members of it
}

// Options say what is verified beside every byte.
type Options struct {
	// Trust decides on the index of the archive, before anything else of it is
	// believed; nil takes any.
	Trust func(index []byte) (*trust.Trusted, error)
	// Files asks for the signatures of files too, which index.json and its own
	// make superfluous.
	Files bool
	// Package reads a whole RPM and gives the name of its file by what is inside;
	// nil leaves that to yum, which does so when it installs one.
	Package func(io.Reader) (string, error)
	// Sign prepares for Verified.Sign.
	Sign bool
}

// Archive reads every byte of the archive at path, or of its volumes, of its
// sidecar where there is one, and of the installers beside it. The files are
// opened once, and hashed first: what is verified afterwards is what was hashed.
// What is damaged is named in the error: a *Damaged as long as the index can be
// read, even where the archive ends too early, and in any case an
// *archive.DamageError. One that is not trusted gives the error of o.Trust.
func Archive(ctx context.Context, path string, o Options, report progress.Func) (v *Verified, err error) {
	src, err := archive.OpenSource(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	r, err := src.Recover()
	if err != nil {
		return nil, err
	}
	defer r.Release()
	c := &check{o: o, report: report, v: &Verified{Path: path, base: src.Base(), index: r.IndexBytes()}}
	if o.Trust != nil {
		if c.v.Trust, err = o.Trust(r.IndexBytes()); err != nil {
			return nil, err
		}
	}
	digests, err := src.Digest(ctx, c.tap(), report)
	switch {
	case ctx.Err() != nil:
		return nil, err
	case err != nil:
		// The members that cannot be read are named, as far as it goes.
		if verr := r.Verify(ctx, nil, report); verr != nil {
			return nil, damaged(path, r, verr)
		}
		return nil, err
	}
	// What was read before it was hashed is read again.
	again, err := src.Recover()
	if err != nil {
		return nil, err
	}
	defer again.Release()
	if !bytes.Equal(again.IndexBytes(), c.v.index) {
		return nil, &archive.DamageError{Path: archive.IndexName, Reason: "it changed during reading: was the archive replaced?"}
	}
	if err := c.members(ctx, again); err != nil {
		return nil, err
	}
	if err := c.beside(ctx, again, digests); err != nil {
		return nil, err
	}
	return c.v, nil
}

// check is an Archive under way.
type check struct {
	o      Options
	v      *Verified
	report progress.Func
}

// tap makes what signatures are compared with, nil if it is not needed.
func (c *check) tap() func() io.Writer {
	if c.o.Sign || c.o.Files && c.v.Trust != nil {
		return trust.NewDigest
	}
	return nil
}

// members verifies what is in the archive.
func (c *check) members(ctx context.Context, r *archive.Reader) error {
	if err := r.Verify(ctx, nil, c.report); err != nil {
		return damaged(c.v.Path, r, err)
	}
	v := c.v
	v.Members, v.Compressed = len(r.Index().Members), r.Size()
	known := map[string]string{}
	for _, m := range r.Index().Members {
		v.Raw += m.Size
		known[m.Path] = m.SHA256
		v.Images = v.Images || m.Kind == manifest.KindImage
	}
	if v.Images {
		err := image.Validate(ctx, r, func(path string) (string, bool) { sum, ok := known[path]; return sum, ok })
		if err != nil {
			return &archive.DamageError{Path: image.Dir, Reason: err.Error()}
		}
	}
	if err := c.packages(ctx, r); err != nil {
		return err
	}
	var err error
	v.Locked, err = report.Agree(r)
	return err
}

// packages compares what packages are with what their members are called.
func (c *check) packages(ctx context.Context, r *archive.Reader) error {
	if c.o.Package == nil {
		return nil
	}
	isPackage := func(m archive.Member) bool { return m.Kind == manifest.KindRPM }
	return r.Each(ctx, isPackage, func(m archive.Member, content io.Reader) error {
		name, err := c.o.Package(content)
		if err == nil && name != pathpkg.Base(m.Path) {
			err = fmt.Errorf("its header says %s", name)
		}
		if err != nil {
			return &archive.DamageError{Path: m.Path, Reason: err.Error()}
		}
		return nil
	})
}

// beside verifies the files beside the archive.
func (c *check) beside(ctx context.Context, r *archive.Reader, digests *archive.Digests) error {
	dir := filepath.Dir(c.v.base)
	programs, err := archive.ReadPrograms(ctx, dir, c.tap())
	if err != nil {
		return err
	}
	known, err := c.compare(r, dir, programs)
	if err != nil {
		return err
	}
	for _, f := range append(digests.Files, known...) {
		c.v.files = append(c.v.files, file(dir, f))
	}
	if c.o.Files && c.v.Trust != nil {
		if c.v.Signed, err = c.v.Trust.CheckFiles(c.v.base, c.v.files); err != nil {
			return err
		}
	}
	c.v.Sidecar, err = digests.CheckSidecar(c.v.base, programs)
	return err
}

func file(dir string, f archive.FileDigest) trust.File {
	return trust.File{Path: filepath.Join(dir, f.Name), SHA256: f.SHA256, Digest: f.Tap}
}

// compare sorts programs, and returns those that are members of the archive. One
// that should be a member and is not is an error.
func (c *check) compare(r *archive.Reader, dir string, programs []archive.FileDigest) (known []archive.FileDigest, err error) {
	members := map[string]string{}
	for _, m := range r.Index().Members {
		members[m.Path] = m.SHA256
	}
	for _, p := range programs {
		want, there := members[archive.ProgramMember(p.Name, r.Index().Platform.Arch)]
		switch {
		case !there:
			c.v.Unchecked = append(c.v.Unchecked, p.Name)
		case want == p.SHA256:
			c.v.Programs = append(c.v.Programs, p.Name)
			known = append(known, p)
		case c.signed(dir, p):
			c.v.Others = append(c.v.Others, p.Name)
		default:
			return nil, c.foreign(r, p)
		}
	}
	return known, nil
}

// signed says whether a program has a signature by the key of the archive.
func (c *check) signed(dir string, p archive.FileDigest) bool {
	if !c.o.Files || c.v.Trust == nil {
		return false
	}
	names, err := c.v.Trust.CheckFiles(c.v.base, []trust.File{file(dir, p)})
	return err == nil && len(names) > 0
}

// WriteText prints v in a few lines.
func (v *Verified) WriteText(w io.Writer) error {
	p := table.New(w)
	p.Line("%s is intact: %d members, %s, %s unpacked", v.Path, v.Members, progress.Size(v.Compressed), progress.Size(v.Raw))
	if !v.Sidecar {
		p.Line("it has no .sha256")
	}
	if !v.Locked {
		p.Line("it has no bundle.lock to compare its contents with")
	}
	if len(v.Programs) > 0 {
		p.Line("next to it, same as in the archive: %s", strings.Join(v.Programs, ", "))
	}
	if len(v.Others) > 0 {
		p.Line("next to it, from another build, signed by the same key: %s", strings.Join(v.Others, ", "))
	}
	if len(v.Unchecked) > 0 {
		p.Line("not checked, because the archive does not contain it: %s", strings.Join(v.Unchecked, ", "))
	}
	if v.Trust != nil {
		p.Line("it is %s", v.Trust.Text())
	}
	if len(v.Signed) > 0 {
		p.Line("valid signatures for stock tools: %s", strings.Join(v.Signed, ", "))
	}
	return p.Flush()
}

// Sign signs what was verified with o.Sign: nothing is read again.
func (v *Verified) Sign(k *trust.SecretKey) (*trust.Signed, error) {
	return k.Sign(v.base, v.index, v.files)
}

// foreign is the error for a program next to the archive that should be a member
// of it but is not. It may have been tampered with: the hint must not suggest to run
// or sign it.
func (c *check) foreign(r *archive.Reader, p archive.FileDigest) error {
	member := archive.ProgramMember(p.Name, r.Index().Platform.Arch)
	err := &archive.DamageError{Reason: fmt.Sprintf("%s next to it is not the program in it, %s: its SHA-256 is %s", p.Name, member, p.SHA256)}
	return withProgramHint(err, c.v.base, p.Name, member)
}
