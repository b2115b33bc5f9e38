package source

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Get reads a small document of unknown digest, at most limit bytes, from the
// first location that has it, and returns its URL. A larger one is an
// error. Retries and errors are as with Fetch.
func (f *Fetcher) Get(ctx context.Context, name string, locations []Location, limit int64) (content []byte, url string, err error) {
	err = f.eachMirror(ctx, name, "", locations, func(ctx context.Context, l Location) error {
		content, err = f.get(ctx, l, limit)
		url = l.URL
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return content, url, nil
}

func (f *Fetcher) get(ctx context.Context, l Location, limit int64) ([]byte, error) {
	b, err := f.open(ctx, l, request{})
	if err != nil {
		return nil, err
	}
	tooLarge := &permanentError{fmt.Errorf("it is larger than %d bytes", limit)}
	if b.total > limit {
		return nil, errors.Join(tooLarge, b.close())
	}
	content, err := io.ReadAll(io.LimitReader(b, limit+1))
	_ = b.close() // what was read counts
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("cut after %d bytes: %w", len(content), err)
	case err != nil:
		return nil, err
	case int64(len(content)) > limit:
		return nil, tooLarge
	case b.total >= 0 && int64(len(content)) != b.total:
		return nil, fmt.Errorf("cut after %d of %d bytes", len(content), b.total)
	}
	return content, nil
}
