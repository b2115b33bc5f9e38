package distro_test

import (
	"context"
	"errors"
	"io"
	"strings"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/software"
)

// flipped is an archive in which the kubelet is damaged: reading it ends with an error
// instead of io.EOF, as with Each.
type flipped struct{ software.Archive }

func (f flipped) Each(ctx context.Context, want func(archive.Member) bool, fn func(archive.Member, io.Reader) error) error {
	return f.Archive.Each(ctx, want, func(m archive.Member, r io.Reader) error {
		if strings.Contains(m.Path, "kubelet") {
			r = damaged{r}
		}
		return fn(m, r)
	})
}

type damaged struct{ io.Reader }

func (d damaged) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = errors.New("rpms/kubelet is damaged")
	}
	return n, err
}
