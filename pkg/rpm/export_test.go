package rpm

import (
	"bytes"
	"fmt"
	"io"

	"kubecrate/pkg/nevra"
)

// ReadHeader is the first part of Verify and Check, which they end when it
// fails: what the header says, and where it lies, whether or not digests hold.
func ReadHeader(r io.Reader) (*nevra.Metadata, Span, error) {
	f, err := openFile(r)
	if err != nil {
		return nil, Span{}, fmt.Errorf("cannot read RPM: %w", err)
	}
	m, err := f.metadata()
	return m, f.span, err
}

// ReadMetadata is ReadHeader without the place.
func ReadMetadata(r io.Reader) (*nevra.Metadata, error) {
	m, _, err := ReadHeader(r)
	return m, err
}

// ReadOneHeader reads one header, a signature header where signatures is set,
// by the rules of its region.
func ReadOneHeader(b []byte, signatures bool) error {
	region := uint32(tagHeaderImmutable)
	if signatures {
		region = tagHeaderSignatures
	}
	_, err := readHeader(bytes.NewReader(b), "header", region)
	return err
}
