// Package verify reads an archive back, byte by byte, and its signatures.
package verify

import (
	"context"
	"errors"
	"io"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// Verified says what was found whole. Sizes are bytes.
type Verified struct {
	Path       string `json:"path"`
	Members    int    `json:"members"`
	Compressed int64  `json:"compressed"`
	Raw        int64  `json:"raw"`
	Images     bool   `json:"images"`  // it holds images, and each is complete
	Sidecar    bool   `json:"sidecar"` // the .sha256 beside it was there and agrees

	Trust  *trust.Trusted `json:"trust,omitempty"`  // who signed it; nil where that was not asked for
	Signed []string       `json:"signed,omitempty"` // files with right signatures for stock tools, by name
}

// Options say what is verified beside every byte.
type Options struct {
	// Trust decides on the index of the archive, before anything else of it is
	// believed; nil takes any.
	Trust func(index []byte) (*trust.Trusted, error)
	// Files asks for the signatures of files too, which index.json and its own
	// make superfluous, and which need another pass over every file.
	Files bool
}

// Archive reads every byte of the archive at path, or of its volumes, and of
// its sidecar where there is one. What is damaged is named in the error: a
// *Damaged as long as the index can be read, even where the archive ends too
// early, and in any case an *archive.DamageError. One that is not trusted gives
// the error of o.Trust.
func Archive(ctx context.Context, path string, o Options, report progress.Func) (v *Verified, err error) {
	r, closer, err := archive.RecoverPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	var who *trust.Trusted
	if o.Trust != nil {
		if who, err = o.Trust(r.IndexBytes()); err != nil {
			return nil, err
		}
	}
	if err := r.Verify(ctx, nil, report); err != nil {
		return nil, damaged(path, r, err)
	}
	v = &Verified{Path: path, Members: len(r.Index().Members), Compressed: r.Size(), Trust: who}
	known := map[string]string{}
	for _, m := range r.Index().Members {
		v.Raw += m.Size
		known[m.Path] = m.SHA256
		v.Images = v.Images || m.Kind == manifest.KindImage
	}
	if v.Images {
		err := image.Validate(ctx, r, func(path string) (string, bool) { sum, ok := known[path]; return sum, ok })
		if err != nil {
			return nil, &archive.DamageError{Path: image.Dir, Reason: err.Error()}
		}
	}
	if v.Sidecar, err = archive.CheckSidecar(ctx, path); err != nil {
		return nil, err
	}
	if o.Files && who != nil {
		v.Signed, err = who.CheckFiles(ctx, path, trust.Programs(path, r.Index().Platform.Arch), report)
	}
	return v, err
}

// WriteText prints v in a few lines.
func (v *Verified) WriteText(w io.Writer) error {
	p := lines.New(w)
	p.Line("%s is whole: %d members, %s, %s unpacked", v.Path, v.Members, progress.Size(v.Compressed), progress.Size(v.Raw))
	if !v.Sidecar {
		p.Line("there is no .sha256 beside it")
	}
	if v.Trust != nil {
		p.Line("it is %s", v.Trust.Text())
	}
	if len(v.Signed) > 0 {
		p.Line("signatures for stock tools are right: %s", strings.Join(v.Signed, ", "))
	}
	return p.Flush()
}
