package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"kubecrate/pkg/source"
	st "kubecrate/pkg/source/sourcetest"
	"kubecrate/pkg/store"
)

// TestStreamFollows reads what has arrived before the rest is sent.
func TestStreamFollows(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	gate := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:mib])
		_ = http.NewResponseController(w).Flush()
		<-gate
		_, _ = w.Write(data[mib:])
	})
	o := quick()
	o.Stall = 10 * time.Second
	f := newFetcher(t, o)
	b := blobOf(data, serve(t, h))
	r, err := f.Stream(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, mib)
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, data[:mib]) {
		t.Fatalf("first half: %v", err)
	}
	if _, ok := f.Store().Stat(b.Digest); ok {
		t.Error("half a blob is in the store")
	}
	close(gate)
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(rest, data[mib:]) {
		t.Fatalf("second half: %d bytes, %v", len(rest), err)
	}
	if _, ok := f.Store().Stat(b.Digest); !ok {
		t.Error("it was read to the end and is not in the store")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	wantStored(t, f.Store(), data)
}

// TestStreamReader lets testing/iotest judge the reader, from a download and
// from the store, with a small content and one larger than the buffers.
func TestStreamReader(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 5000, 300 << 10, 2*mib + 1} {
		data := random(size)
		f := newFetcher(t, patient())
		b := blobOf(data, serve(t, st.Content(data)))
		for _, from := range []string{"download", "store"} {
			r, err := f.Stream(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if size < mib {
				err = iotest.TestReader(r, data)
			} else {
				var all bytes.Buffer
				if _, err = io.Copy(&all, r); err == nil && !bytes.Equal(all.Bytes(), data) {
					err = errors.New("other bytes")
				}
			}
			if err != nil {
				t.Errorf("%d bytes from the %s: %v", size, from, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestStreamSurvives resumes underneath: the reader sees nothing of it.
func TestStreamSurvives(t *testing.T) {
	t.Parallel()
	data := random(3 * mib)
	good := st.Content(data)
	for name, h := range map[string]http.Handler{
		"cut":               st.CutAt(mib+1000, good),
		"500 in between":    st.First(1, st.CutAt(mib, good), st.First(1, st.Status(500), good)),
		"stall":             st.First(1, st.HangAt(mib, good), good),
		"cut, and no Range": st.First(2, st.CutAt(2*mib, st.NoRange(good)), st.NoRange(good)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFetcher(t, quick())
			r, err := f.Stream(t.Context(), blobOf(data, serve(t, h)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			wantStored(t, f.Store(), data)
		})
	}
}

// TestStreamWrongBytes never gives io.EOF for wrong bytes.
func TestStreamWrongBytes(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	bad := serve(t, st.Limit(16*mib, st.Corrupt(5, st.Content(data))))
	good := serve(t, st.Content(data))
	for _, c := range []struct {
		urls  []string
		check func(error) bool
	}{
		{[]string{bad, good}, func(err error) bool { return errors.Is(err, source.ErrRestarted) }},
		{[]string{bad}, func(err error) bool { return err != nil && !errors.Is(err, io.EOF) }},
	} {
		f := newFetcher(t, patient())
		b := blobOf(data, c.urls...)
		r, err := f.Stream(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(r); !c.check(err) {
			t.Errorf("%d mirrors: error is %v", len(c.urls), err)
		}
		if _, again := r.Read(make([]byte, 1)); again == nil || again.Error() != err.Error() {
			t.Errorf("the error %v became %v", err, again)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestConsume runs its function again when bytes were wrong, whatever that
// made of them.
func TestConsume(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	broken := errors.New("this is no gzip")
	strict := func(got *[]byte) func(io.Reader) error {
		return func(r io.Reader) (err error) {
			head := make([]byte, 100)
			if _, err := io.ReadFull(r, head); err != nil {
				return errors.New("hides the cause")
			}
			if !bytes.Equal(head, data[:100]) {
				return broken
			}
			rest, err := io.ReadAll(r)
			*got = append(head, rest...)
			return err
		}
	}
	good := st.Content(data)
	for name, c := range map[string]struct {
		mirrors []http.Handler
		want    string
	}{
		"good":              {[]http.Handler{good}, ""},
		"wrong head":        {[]http.Handler{st.Corrupt(5, good), good}, ""},
		"wrong tail":        {[]http.Handler{st.Corrupt(mib, good), good}, ""},
		"twice wrong":       {[]http.Handler{st.Corrupt(mib, good), st.Corrupt(0, good), good}, ""},
		"cut and wrong":     {[]http.Handler{st.CutAt(mib, st.Corrupt(0, good)), good}, ""},
		"nobody is right":   {[]http.Handler{st.Corrupt(5, good)}, "digest is sha256:"},
		"nobody is there":   {[]http.Handler{st.Status(404)}, "404 Not Found"},
		"nobody ends right": {[]http.Handler{st.Corrupt(mib, good)}, "digest is sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			for _, h := range c.mirrors {
				urls = append(urls, serve(t, h))
			}
			f := newFetcher(t, patient())
			var got []byte
			err := f.Consume(t.Context(), blobOf(data, urls...), strict(&got))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v, want %q", err, c.want)
				}
				return
			}
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			wantStored(t, f.Store(), data)
		})
	}
	// An error of the function itself comes back once the bytes are known to be
	// right, and at once where the disk is full.
	f := newFetcher(t, patient())
	if err := f.Consume(t.Context(), blobOf(data, serve(t, good)), func(io.Reader) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	wantStored(t, f.Store(), data)
	f = newFetcher(t, source.Options{})
	if err := f.Consume(t.Context(), blobOf(data, serve(t, st.HangAt(10, good))), func(io.Reader) error { return syscall.ENOSPC }); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error is %v", err)
	}
}

// TestSingleFlight shares one download between fetches and streams.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	rec := st.Record(st.Limit(8*mib, st.Content(data)))
	f := newFetcher(t, patient())
	b := blobOf(data, serve(t, rec))
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			if i%2 == 0 {
				if res, err := f.Fetch(t.Context(), b); err != nil || res.Digest != b.Digest {
					t.Errorf("%+v, %v", res, err)
				}
				return
			}
			var all bytes.Buffer
			err := f.Consume(t.Context(), b, func(r io.Reader) error { _, err := io.Copy(&all, r); return err })
			if err != nil || !bytes.Equal(all.Bytes(), data) {
				t.Errorf("%d bytes, %v", all.Len(), err)
			}
		})
	}
	wg.Wait()
	if got := len(rec.Requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	wantStored(t, f.Store(), data)
}

// TestOneOfTwoCancels leaves the download to the other.
func TestOneOfTwoCancels(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	rec := st.Record(st.Limit(8*mib, st.Content(data)))
	f := newFetcher(t, patient())
	b := blobOf(data, serve(t, rec))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := f.Stream(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := f.Fetch(t.Context(), b); err != nil {
			t.Error(err)
		}
	})
	_, err = io.ReadFull(r, make([]byte, mib/2))
	if err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := len(rec.Requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// TestWaitingReaderIsWoken cancels a reader that waits for a silent server.
func TestWaitingReaderIsWoken(t *testing.T) {
	t.Parallel()
	f := newFetcher(t, source.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := f.Stream(ctx, blobOf(random(10), serve(t, st.Hang())))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestCloseInTheMiddle keeps what has arrived; the next stream goes on there.
func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	data := random(4 * mib)
	rec := st.Record(st.First(1, st.HangAt(mib, st.Content(data)), st.Content(data)))
	f := newFetcher(t, source.Options{})
	b := blobOf(data, serve(t, rec))
	r, err := f.Stream(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, mib)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Fetch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got := rec.Requests(); len(got) != 2 || got[1].From != mib {
		t.Errorf("requests are %+v", got)
	}
}

// TestTwoFetchers of one cache are what two processes are: each opens the
// files for itself. One downloads, the other waits and finds the blob.
func TestTwoFetchers(t *testing.T) {
	t.Parallel()
	data := random(2 * mib)
	rec := st.Record(st.Limit(8*mib, st.Content(data)))
	url := serve(t, rec)
	dir := t.TempDir()
	var started atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			f := source.New(newStore(t, dir), patient())
			started.Add(1)
			var all bytes.Buffer
			err := f.Consume(t.Context(), blobOf(data, url), func(r io.Reader) error { _, err := io.Copy(&all, r); return err })
			if err != nil || !bytes.Equal(all.Bytes(), data) {
				t.Errorf("%d bytes, %v", all.Len(), err)
			}
		})
	}
	wg.Wait()
	if got := len(rec.Requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	wantStored(t, newStore(t, dir), data)
}

// TestFullDiskIsNotRetried gives up at once and names what to do.
func TestFullDiskIsNotRetried(t *testing.T) {
	t.Parallel()
	rec := st.Record(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(1)<<60))
	}))
	f := newFetcher(t, patient())
	b := blobOf(random(10), serve(t, rec))
	b.Size = 1 << 60
	_, err := f.Fetch(t.Context(), b)
	var space *store.SpaceError
	if !errors.As(err, &space) || space.Need != 1<<60 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error is %v", err)
	}
	if len(rec.Requests()) != 1 {
		t.Error("it was tried again")
	}
}
