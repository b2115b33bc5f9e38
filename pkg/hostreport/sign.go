package hostreport

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"kubecrate/pkg/signed"
)

// Sign signs r as it is; what changes later makes the signature wrong.
func (r *Report) Sign(s *signed.Signer) error {
	r.Key, r.KeySince, r.Signature = s.Key(), s.Since, ""
	data, err := r.Marshal()
	if err != nil {
		return err
	}
	r.Signature, err = s.Sign(data)
	return err
}

// Signed says that r was read with a signature that fits.
func (r *Report) Signed() bool { return r.Signature != "" }

// File is the name of the file that r was read from, "" for one that was not.
func (r *Report) File() string {
	if r.path == "" {
		return ""
	}
	return path.Base(r.path)
}

// verified reads a report without the checks of its content.
func verified(data []byte) (*Report, error) {
	o, err := signed.Open(data)
	if errors.Is(err, signed.ErrSignature) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("it is no sheet of a host: %w", err)
	}
	// What was signed is what counts, also where a key stands there twice.
	var r Report
	if err := json.Unmarshal(o.Body, &r); err != nil {
		return nil, fmt.Errorf("it is no sheet of a host: %w", err)
	}
	r.Key, r.Signature = o.Key, o.Signature
	if o.Key == "" {
		r.KeySince = time.Time{}
	}
	return &r, nil
}

// describe names r in a sentence.
func (r *Report) describe() string {
	if r.path == "" {
		return "the sheet of " + r.Hostname
	}
	return fmt.Sprintf("the sheet of %s, %s,", r.Hostname, r.File())
}
