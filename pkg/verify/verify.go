// Package verify reads an archive back, byte by byte.
package verify

import (
	"context"
	"errors"
	"io"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
)

// Verified says what was found whole. Sizes are bytes.
type Verified struct {
	Path       string `json:"path"`
	Members    int    `json:"members"`
	Compressed int64  `json:"compressed"`
	Raw        int64  `json:"raw"`
	Images     bool   `json:"images"`  // it holds images, and each is complete
	Sidecar    bool   `json:"sidecar"` // the .sha256 beside it was there and agrees
}

// Archive reads every byte of the archive at path, or of its volumes, and of
// its sidecar where there is one. What is damaged is named in the error: a
// *Damaged as long as the index can be read, even where the archive ends too
// early, and in any case an *archive.DamageError.
func Archive(ctx context.Context, path string, report progress.Func) (v *Verified, err error) {
	r, closer, err := archive.RecoverPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if err := r.Verify(ctx, nil, report); err != nil {
		return nil, damaged(path, r, err)
	}
	v = &Verified{Path: path, Members: len(r.Index().Members), Compressed: r.Size()}
	known := map[string]string{}
	for _, m := range r.Index().Members {
		v.Raw += m.Size
		known[m.Path] = m.SHA256
		v.Images = v.Images || m.Kind == manifest.KindImage
	}
	if v.Images {
		err := image.ValidateVerified(ctx, r, func(path string) (string, bool) { sum, ok := known[path]; return sum, ok })
		if err != nil {
			return nil, &archive.DamageError{Path: image.Dir, Reason: err.Error()}
		}
	}
	v.Sidecar, err = archive.CheckSidecar(ctx, path)
	return v, err
}

// WriteText prints v in a few lines.
func (v *Verified) WriteText(w io.Writer) error {
	p := lines.New(w)
	p.Line("%s is whole: %d members, %s, %s unpacked", v.Path, v.Members, progress.Size(v.Compressed), progress.Size(v.Raw))
	if !v.Sidecar {
		p.Line("there is no .sha256 beside it")
	}
	return p.Flush()
}
