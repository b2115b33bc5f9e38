package rpmrepo

import (
	"context"
	"fmt"
	"io"

	"kubecrate/pkg/modules"
)

// LoadModules adds what the repository's modules.yaml says to x; found is false
// where it has none. It returns how many of its documents were left out.
func (r *Repository) LoadModules(ctx context.Context, x *modules.Index) (odd int, found bool, err error) {
	if r.modules.Type == "" {
		return 0, false, nil
	}
	if err = r.modules.Check(); err == nil {
		err = r.read(ctx, r.modules, r.mirrors, func(in io.Reader) (err error) {
			odd, err = x.Read(in)
			return err
		})
	}
	if err != nil {
		return odd, true, fmt.Errorf("cannot load the modules of repository %s: %w", r.ID, err)
	}
	return odd, true, nil
}
