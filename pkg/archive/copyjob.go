package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// copyJob copies the frames of a packed file.
type copyJob struct {
	file       io.ReadSeekCloser
	compressed Packed
}

// openPacked opens a packed file and checks that it is complete and has the
// given content.
func openPacked(ctx context.Context, open func() (io.ReadSeekCloser, error), size int64, sum string) (w *copyJob, err error) {
	f, p, err := openFooter(open)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if p.Size != size || p.SHA256 != sum {
		return nil, fmt.Errorf("%w: it has %d bytes with SHA-256 %s, want %d bytes with %s", errPacked, p.Size, p.SHA256, size, sum)
	}
	if err := p.check(ctx, f); err != nil {
		return nil, err
	}
	return &copyJob{file: f, compressed: p}, nil
}

// openFooter opens a packed file and reads its footer.
func openFooter(open func() (io.ReadSeekCloser, error)) (io.ReadSeekCloser, Packed, error) {
	f, err := open()
	if err != nil {
		return nil, Packed{}, err
	}
	p, err := readPacked(f)
	if err != nil {
		return nil, p, errors.Join(err, f.Close())
	}
	return f, p, nil
}

func (w *copyJob) write(ctx context.Context, to *frameWriter) error {
	return w.compressed.copyTo(ctx, w.file, to)
}

// release closes the file, which was only read.
func (w *copyJob) release(*Packer) { _ = w.file.Close() }

// unpack opens the decompressed content of a packed file.
func unpack(open func() (io.ReadSeekCloser, error)) (rc io.ReadCloser, err error) {
	f, p, err := openFooter(open)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	d, err := newStreamDecoder(io.LimitReader(f, p.Compressed), maxPlain)
	if err != nil {
		return nil, err
	}
	return &unpacked{Reader: io.LimitReader(d, p.Size), file: f, d: d}, nil
}

type unpacked struct {
	io.Reader
	file io.Closer
	d    *zstd.Decoder
}

func (u *unpacked) Close() error {
	u.d.Close()
	return u.file.Close()
}
