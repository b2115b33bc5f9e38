// Package rpm reads untrusted RPM packages: it parses the file within fixed bounds,
// and verifies its signature against pinned keys and its payload against a signed
// digest.
//
// The package itself decides what to trust, not a library: which bytes a signature
// covers, which digests may cover the payload, and how to read an ambiguous header.
// RPM libraries are not made for hostile files; the tests compare with one of them.
// The cryptography of keys and signatures is go-crypto's.
package rpm

import (
	"bytes"
	"errors"
	"io"
)

const (
	leadSize        = 96
	signatureHeader = 5 // RPMSIGTYPE_HEADERSIG, the only type in use
)

// Span is the position of a package's header in its file, in bytes from the start:
// header-range in yum metadata.
type Span struct{ Start, End int64 }

// file is an RPM read up to its payload; rest is the payload.
type file struct {
	lead      []byte
	signature *header
	header    *header
	span      Span
	rest      io.Reader
}

// openFile reads lead, signature header and header. The lead is obsolete: rpm checks
// only its magic number, and no digest covers it.
func openFile(r io.Reader) (*file, error) {
	f := &file{lead: make([]byte, leadSize), rest: r}
	n, err := io.ReadFull(r, f.lead)
	if !bytes.HasPrefix(f.lead[:n], []byte{0xed, 0xab, 0xee, 0xdb}) && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil, notRPM(f.lead[:n])
	}
	if err != nil {
		return nil, readError("lead", err)
	}
	if major, kind := f.lead[4], f.lead[79]; (major != 3 && major != 4) || kind != signatureHeader || f.lead[78] != 0 {
		return nil, unsupported("an RPM of format %d with signature type %d", major, kind)
	}
	if f.signature, err = readHeader(r, "signature header", tagHeaderSignatures); err != nil {
		return nil, err
	}
	padding := make([]byte, (8-len(f.signature.raw)%8)%8)
	if _, err := io.ReadFull(r, padding); err != nil {
		return nil, readError("signature header's padding", err)
	}
	f.span.Start = leadSize + int64(len(f.signature.raw)+len(padding))
	if f.header, err = readHeader(r, "header", tagHeaderImmutable); err != nil {
		return nil, err
	}
	f.span.End = f.span.Start + int64(len(f.header.raw))
	return f, nil
}

// maxFormat is the newest supported format. Packages have a format tag since format
// 6, whose lead still says 3 or 4.
const maxFormat = 4

func (f *file) checkFormat() error {
	format, ok, err := f.header.number(tagRPMFormat)
	switch {
	case err != nil:
		return corrupt("the header: %w", err)
	case ok && format > maxFormat:
		return unsupported("an RPM of format %d; formats up to %d are supported", format, maxFormat)
	}
	return nil
}
