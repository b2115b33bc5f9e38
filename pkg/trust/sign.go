package trust

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"

	"aead.dev/minisign"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/durable"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
)

// Signed says by which key an archive was signed, and which files that made.
type Signed struct {
	Key         string   `json:"key"` // as minisign writes it
	Fingerprint string   `json:"fingerprint"`
	Files       []string `json:"files"`
}

// Sign signs the archive at path, and programs, which are the paths of files
// beside it: index.json, and every file for stock tools, see docs/FORMAT.md. The
// same key and the same archive give the same signatures. What it signs it does
// not judge: verify first what was not just built.
func (k *SecretKey) Sign(ctx context.Context, path string, programs []string, report progress.Func) (*Signed, error) {
	base, files, err := archive.Files(path)
	if err != nil {
		return nil, err
	}
	index, err := indexOf(path)
	if err != nil {
		return nil, err
	}
	der, openSSL, err := k.openSSLKey()
	if err != nil {
		return nil, err
	}
	w := &writer{}
	for _, file := range append(files[:len(files):len(files)], programs...) {
		if err := k.signFile(ctx, w, file, report); err != nil {
			return nil, fmt.Errorf("cannot sign %s: %w", file, err)
		}
	}
	w.write(base+archive.PublicKeySuffix, k.Public().file())
	w.write(base+archive.OpenSSLKeySuffix, openSSL)
	// Last: the other files are there once a host takes the archive for signed.
	w.write(base+archive.IndexSignatureSuffix, k.signIndex(index, filepath.Base(base), der))
	if w.err != nil {
		return nil, fmt.Errorf("cannot write the signatures: %w", w.err)
	}
	key := k.Public()
	return &Signed{Key: key.String(), Fingerprint: key.Fingerprint(), Files: w.names}, nil
}

// indexOf is index.json as it stands in the archive.
func indexOf(path string) (text []byte, err error) {
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return r.IndexBytes(), nil
}

// openSSLMark stands in the trusted comment before the hash of the ECDSA key.
const openSSLMark = "openssl-key-sha256:"

func (k *SecretKey) signIndex(index []byte, name string, der []byte) []byte {
	r := minisign.NewReader(bytes.NewReader(index))
	_, _ = io.Copy(io.Discard, r) // neither side fails
	return r.SignWithComments(k.mini, "index.json of "+name+" "+openSSLMark+hexSHA256(der), k.untrustedComment())
}

// untrustedComment is what minisign writes, with the ID of the key.
func (k *SecretKey) untrustedComment() string {
	return fmt.Sprintf("signature from kubecrate with the key %016X", k.mini.ID())
}

// signFile writes both signatures of a file beside it.
func (k *SecretKey) signFile(ctx context.Context, w *writer, path string, report progress.Func) error {
	d, err := digest(ctx, path, "sign", report)
	if err != nil {
		return err
	}
	// Without randomness: RFC 6979, so that the same file gives the same signature.
	der, err := k.ec.Sign(nil, d.sha.Sum(nil), crypto.SHA256)
	if err != nil {
		return err
	}
	w.write(path+archive.SignatureSuffix, d.mini.SignWithComments(k.mini, "file:"+filepath.Base(path), k.untrustedComment()))
	w.write(path+archive.OpenSSLSuffix, der)
	return w.err
}

// digests are those of a file that was read to its end.
type digests struct {
	mini *minisign.Reader
	sha  hash.Hash
}

// digest reads a file once for both kinds of signatures; stage is for events.
func digest(ctx context.Context, path, stage string, report progress.Func) (d digests, err error) {
	f, err := media.Named(path).Open()
	if err != nil {
		return d, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return d, err
	}
	task, total := filepath.Base(path), info.Size()
	report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: task, Total: total})
	d.sha = sha256.New()
	d.mini = minisign.NewReader(io.TeeReader(f, d.sha))
	b := make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := d.mini.Read(b)
		report.Report(progress.Event{Kind: progress.Advance, Stage: stage, Task: task, Bytes: int64(n), Total: total})
		if errors.Is(err, io.EOF) {
			report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: task, Bytes: total})
			return d, nil
		}
		if err != nil {
			return d, err
		}
	}
	report.Report(progress.Event{Kind: progress.Stopped, Stage: stage, Task: task})
	return d, context.Cause(ctx)
}

// writer writes small files until one fails.
type writer struct {
	names []string
	err   error
}

// write gives path the content.
func (w *writer) write(path string, content []byte) {
	const mode = 0o644
	if w.err != nil {
		return
	}
	if w.err = durable.WriteFile(path, content, mode); w.err == nil {
		w.names = append(w.names, path)
	}
}
