package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/store"
)

// flight is one download that any number of callers wait for or read along.
type flight struct {
	f      *Fetcher
	blob   Blob
	key    string
	cancel context.CancelFunc
	refs   int           // guarded by f.mu
	ended  chan struct{} // closed when result and err are set
	result Result
	err    error

	mu         sync.Mutex
	grown      sync.Cond
	content    io.ReaderAt // nil until there is something to read
	closer     io.Closer
	size       int64 // bytes that can be read
	generation int   // counts the restarts of the content
	done       bool  // result or err is final

	// Of the goroutine that downloads:
	part    *store.Partial
	meter   meter
	answers int             // how many answers part was put together from
	again   map[string]bool // URLs restarted because of a wrong digest
	etag    string          // of the answer that part holds, and
	etagURL string          // who gave it
}

// join finds the download of b, or starts it. The caller must leave it.
func (f *Fetcher) join(ctx context.Context, b Blob) *flight {
	key := b.Digest
	if key == "" && len(b.Locations) > 0 {
		key = b.Locations[0].URL
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.flights[key]; fl != nil {
		fl.refs++
		return fl
	}
	// It lives as long as somebody waits for it, not only its first caller.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fl := &flight{
		f: f, blob: b, key: key, cancel: cancel, refs: 1, ended: make(chan struct{}), again: map[string]bool{},
		meter: meter{report: f.opt.Report, task: b.Name, total: b.Size},
	}
	fl.grown.L = &fl.mu
	f.flights[key] = fl
	go fl.run(ctx)
	return fl
}

// leave releases one caller's interest. The last one cancels the download and waits
// until it has stopped.
func (fl *flight) leave() {
	fl.f.mu.Lock()
	fl.refs--
	last := fl.refs == 0
	if last && fl.f.flights[fl.key] == fl {
		delete(fl.f.flights, fl.key)
	}
	fl.f.mu.Unlock()
	if !last {
		return
	}
	fl.cancel()
	<-fl.ended
	if fl.closer != nil {
		// What counts was synced by Commit, and a partial download is hashed again.
		_ = fl.closer.Close()
	}
}

// run downloads and passes the result to all callers.
func (fl *flight) run(ctx context.Context) {
	res, err := fl.download(ctx)
	if err == nil && fl.blob.Digest != "" {
		fl.f.setVerified(fl.blob.Digest)
	}
	fl.f.mu.Lock()
	if fl.f.flights[fl.key] == fl {
		delete(fl.f.flights, fl.key)
	}
	fl.f.mu.Unlock()
	fl.mu.Lock()
	fl.done, fl.result, fl.err = true, res, err
	fl.grown.Broadcast()
	fl.mu.Unlock()
	close(fl.ended)
}

func (fl *flight) download(ctx context.Context) (res Result, err error) {
	name := fl.blob.Name
	part, err := fl.f.store.Partial(ctx, fl.blob.Digest, func() {
		fl.f.opt.Report.Report(progress.Event{Kind: progress.Note, Stage: stage, Task: name, Text: "is being downloaded by another process; waiting for it"})
	})
	if err != nil {
		return res, fmt.Errorf("cannot fetch %s: %w", name, err)
	}
	fl.part, fl.closer = part, part
	if res, ok, err := fl.f.stored(ctx, fl.blob); ok || err != nil {
		return res, errors.Join(err, fl.readStored(res, ok))
	}
	if part.Size() > 0 {
		fl.answers++
	}
	fl.meter.start(part.Size())
	defer func() { fl.meter.end(res.Size, err) }()
	fl.publish(part)
	err = fl.f.eachMirror(ctx, name, fl.blob.Gone, fl.blob.Locations, func(ctx context.Context, l Location) (err error) {
		res, err = fl.try(ctx, l)
		return err
	})
	return res, err
}

// readStored lets readers have what another process brought in the meantime,
// in place of an empty partial download.
func (fl *flight) readStored(res Result, ok bool) error {
	if !ok {
		return nil
	}
	blob, err := fl.f.store.Open(res.Digest)
	if err != nil {
		return err
	}
	err = fl.part.Discard()
	fl.closer = blob
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.content, fl.size = blob, res.Size
	return err
}

// publish shows readers where the content stands, and how much of it.
func (fl *flight) publish(content io.ReaderAt) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.content, fl.size = content, fl.part.Size()
	fl.grown.Broadcast()
}

// restart drops all bytes. Readers that had some of them are notified.
func (fl *flight) restart() error {
	fl.mu.Lock()
	fl.generation++
	fl.size = 0
	fl.mu.Unlock()
	fl.answers, fl.etag, fl.etagURL = 0, "", ""
	if err := fl.part.Reset(); err != nil {
		return &localError{err}
	}
	return nil
}

// try takes from one location what is missing, and ends the blob.
func (fl *flight) try(ctx context.Context, l Location) (Result, error) {
	if b := fl.blob; b.Digest == "" || b.Size < 1 || fl.part.Size() != b.Size {
		if err := fl.transfer(ctx, l); err != nil {
			return Result{}, err
		}
	}
	digest, err := fl.part.Commit()
	if err == nil {
		return Result{Digest: digest, Size: fl.part.Size(), URL: l.URL}, nil
	}
	var wrong *store.DigestError
	if !errors.As(err, &wrong) {
		return Result{}, &localError{err}
	}
	oneAnswer := fl.answers == 1 && fl.etagURL == l.URL
	if err := fl.restart(); err != nil {
		return Result{}, err
	}
	if !oneAnswer && !fl.again[l.URL] {
		// Put together from several, or from a cache: in one piece it may be right.
		fl.again[l.URL] = true
		return fl.try(ctx, l)
	}
	fix := fl.blob.Hint
	if fix == "" {
		fix = "if it was replaced on purpose, to pin the new content: bundle lock"
	}
	return Result{}, &permanentError{hint.With(wrong, "%s", fix)}
}
