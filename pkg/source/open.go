package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kubecrate/pkg/progress"
)

// request is the offset and the version of the requested content.
type request struct {
	offset int64
	etag   string // a strong one, "" unknown
}

// body is the body of an answer. Reading it fails after Options.Stall without a
// byte.
type body struct {
	io.Reader
	offset int64  // of its first byte
	total  int64  // bytes of the whole, -1 unknown
	etag   string // strong, or ""
	close  func() error
}

// errWhole means that the requested range begins at the end of the content.
var errWhole = errors.New("no more content")

// open asks one location for bytes.
func (f *Fetcher) open(ctx context.Context, l Location, r request) (*body, error) {
	p, err := f.parse(l)
	if err != nil {
		return nil, err
	}
	if p.url == nil {
		return openFile(p.path, r.offset)
	}
	return f.openURL(ctx, l, p.url, r)
}

func openFile(path string, offset int64) (*body, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &permanentError{plainPathError(err)}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil && offset > info.Size() {
		offset = 0
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, &permanentError{errors.Join(plainPathError(err), f.Close())}
	}
	return &body{Reader: f, offset: offset, total: info.Size(), close: f.Close}, nil
}

// plainPathError leaves out the path, which stands before it in the message.
func plainPathError(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// watchdog cancels a request that stalls, and reports before that it is waiting.
type watchdog struct {
	timer    *time.Timer
	stall    time.Duration
	notice   time.Duration // when it says so; stall where that is shorter
	cancel   context.CancelCauseFunc
	told     atomic.Bool // of what is waited for now
	answered atomic.Bool // the head has come
}

// noticeAfter is the time after which waiting is reported.
const noticeAfter = 4 * time.Second

func watch(ctx context.Context, stall time.Duration, tell func(text string)) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{stall: stall, notice: min(noticeAfter, stall), cancel: cancel}
	w.timer = time.AfterFunc(stall, func() {
		what := "no answer"
		if w.answered.Load() {
			what = "no byte"
		}
		switch {
		case w.notice < w.stall && !w.told.Swap(true):
			tell(fmt.Sprintf("%s for %v; waiting", what, w.notice))
			w.timer.Reset(w.stall - w.notice)
		case w.answered.Load():
			cancel(fmt.Errorf("stalled: no byte for %v", stall))
		default:
			cancel(fmt.Errorf("%w for %v", errHang, stall))
		}
	})
	w.timer.Reset(w.notice) // only now does the function know its timer
	return ctx, w
}

// restart begins to wait for the next bytes.
func (w *watchdog) restart() {
	w.told.Store(false)
	w.timer.Reset(w.notice)
}

// stop ends the watch, and the request with it.
func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

func (f *Fetcher) openURL(ctx context.Context, l Location, u *url.URL, r request) (*body, error) {
	ctx, dog := watch(ctx, f.opt.Stall, func(text string) {
		f.tell(progress.Event{Kind: progress.Note, Task: u.Host, Host: u.Host, Text: text})
	})
	ctx = travel(ctx, u, dog.cancel)
	req, err := f.newRequest(ctx, l, u, r)
	if err != nil {
		dog.stop()
		return nil, &permanentError{err}
	}
	resp, err := f.clientFor(l).Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		dog.stop()
		return nil, classify(err)
	}
	dog.timer.Stop()
	dog.answered.Store(true)
	end := func() error {
		dog.stop()
		return resp.Body.Close()
	}
	b, err := answer(resp, r)
	b.Reader = &stallReader{ctx: ctx, r: resp.Body, dog: dog}
	b.close = end
	if err != nil {
		// A little is read, so that the connection of a short error page can be
		// used again.
		const little = 16 << 10
		text, _ := io.ReadAll(io.LimitReader(b, little))
		_ = end() // err is what counts
		var status *StatusError
		if errors.As(err, &status) {
			status.Said = said(resp.Header.Get("Content-Type"), text)
		}
		return nil, err
	}
	return b, nil
}

func (f *Fetcher) newRequest(ctx context.Context, l Location, u *url.URL, r request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("invalid URL")
	}
	for k, v := range l.Header {
		req.Header[k] = v
	}
	if login, ok := f.Login(u.Host); ok && l.Client == nil && req.Header.Get("Authorization") == "" {
		req.SetBasicAuth(login.User, login.Password)
	}
	// Bytes as they are: an answer that is compressed on the way has no range.
	req.Header.Set("Accept-Encoding", "identity")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "kubecrate")
	}
	if r.offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", r.offset))
		if r.etag != "" {
			req.Header.Set("If-Range", r.etag)
		}
	}
	return req, nil
}

// stallReader restarts the watchdog with every read.
type stallReader struct {
	ctx context.Context //nolint:containedctx // the life of one response
	r   io.Reader
	dog *watchdog
}

func (s *stallReader) Read(b []byte) (int, error) {
	s.dog.restart()
	n, err := s.r.Read(b)
	s.dog.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) && context.Cause(s.ctx) != nil {
		err = context.Cause(s.ctx)
	}
	return n, err
}

// answer reads status and head of a response; the body it returns has no
// content yet.
func answer(resp *http.Response, r request) (*body, error) {
	b := &body{total: resp.ContentLength, etag: strongETag(resp.Header.Get("ETag"))}
	status := &StatusError{Code: resp.StatusCode}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return b, nil
	case code == http.StatusPartialContent && r.offset > 0:
		err := b.readRange(resp.Header.Get("Content-Range"), r.offset)
		return b, err
	case code == http.StatusRequestedRangeNotSatisfiable && r.offset > 0:
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", r.offset) {
			return b, errWhole
		}
		return b, errRange
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= http.StatusInternalServerError:
		return b, &busyError{err: status, pause: retryAfter(resp.Header.Get("Retry-After"))}
	}
	return b, &permanentError{status}
}

// errRange means that a server does not support ranges.
var errRange = errors.New("invalid answer to a Range request")

// readRange checks "bytes FIRST-LAST/TOTAL" of RFC 9110, section 14.4.
func (b *body) readRange(text string, offset int64) error {
	span, total, ok := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	first, _, ok2 := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || err != nil || start != offset {
		return errRange
	}
	b.offset, b.total = start, -1
	if total == "*" {
		return nil
	}
	if b.total, err = strconv.ParseInt(total, 10, 64); err != nil || b.total < start {
		return errRange
	}
	return nil
}

// strongETag drops weak validators: they do not promise the same bytes.
func strongETag(tag string) string {
	if strings.HasPrefix(tag, `"`) {
		return tag
	}
	return ""
}

// retryAfter reads seconds or a date; an invalid value is ignored.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// classify separates temporary from permanent errors of a request. The URL is
// removed: the message already has it, and that of a redirect may hold a secret.
func classify(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	err = withoutProxy(err)
	var permanent *permanentError
	if errors.As(err, &permanent) {
		return permanent
	}
	if dial := connecting(err); dial != nil {
		return dial
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verification):
		return &permanentError{err}
	}
	return err
}
