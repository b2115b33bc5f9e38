package sourcetest

import (
	"net/http"
	"time"
)

// body writes the content of one answer.
type body interface{ Write([]byte) (int, error) }

// wrapBody gives h a ResponseWriter whose content goes through what makes.
func wrapBody(h http.Handler, makes func(*http.Request, http.ResponseWriter) body) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&writer{ResponseWriter: w, body: makes(r, w)}, r)
	})
}

// writer has no ReadFrom, so that all content passes Write.
type writer struct {
	http.ResponseWriter
	body body
}

func (w *writer) Write(b []byte) (int, error) { return w.body.Write(b) }

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// atByte sends some bytes, does something, and cuts the connection.
type atByte struct {
	w    http.ResponseWriter
	left int64
	then func()
}

func (a *atByte) Write(b []byte) (int, error) {
	if int64(len(b)) < a.left {
		n, err := a.w.Write(b)
		a.left -= int64(n)
		return n, err
	}
	if _, err := a.w.Write(b[:a.left]); err != nil {
		return 0, err
	}
	// What is buffered is on its way before the end.
	if err := http.NewResponseController(a.w).Flush(); err != nil {
		return 0, err
	}
	a.then()
	panic(http.ErrAbortHandler) // net/http's way to cut a connection
}

// flipped inverts one byte.
type flipped struct {
	w   http.ResponseWriter
	at  int64
	pos int64
}

func (f *flipped) Write(b []byte) (int, error) {
	if i := f.at - f.pos; i >= 0 && i < int64(len(b)) {
		b = append([]byte(nil), b...)
		b[i] ^= 0xff
	}
	n, err := f.w.Write(b)
	f.pos += int64(n)
	return n, err
}

// limited sends pieces when their time has come.
type limited struct {
	w    http.ResponseWriter
	l    *Limiter
	done <-chan struct{}
}

func (l *limited) Write(b []byte) (written int, err error) {
	const piece = 32 << 10
	for len(b) > 0 {
		n := min(len(b), piece)
		if wait := l.l.take(n); wait > 0 {
			select {
			case <-time.After(wait):
			case <-l.done:
				return written, http.ErrAbortHandler
			}
		}
		m, err := l.w.Write(b[:n])
		written += m
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}
