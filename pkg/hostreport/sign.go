package hostreport

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"kubecrate/pkg/signedjson"
)

// Sign signs r; later changes invalidate the signature.
func (r *Report) Sign(s *signedjson.Signer) error {
	r.Key, r.KeySince, r.Signature = s.Key(), s.Since, ""
	data, err := r.Marshal()
	if err != nil {
		return err
	}
	r.Signature, err = s.Sign(data)
	return err
}

// Signed reports whether r was read with a valid signature.
func (r *Report) Signed() bool { return r.Signature != "" }

// File returns the name of the file that r was read from, "" if it was not read.
func (r *Report) File() string {
	if r.path == "" {
		return ""
	}
	return path.Base(r.path)
}

// verified reads a report and verifies its signature, but not its content.
func verified(data []byte) (*Report, error) {
	o, err := signedjson.Open(data)
	if errors.Is(err, signedjson.ErrSignature) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("not a host report: %w", err)
	}
	// Only what was signed counts, even with duplicate keys.
	var r Report
	if err := json.Unmarshal(o.Body, &r); err != nil {
		return nil, fmt.Errorf("not a host report: %w", err)
	}
	r.Key, r.Signature = o.Key, o.Signature
	if o.Key == "" {
		r.KeySince = time.Time{}
	}
	return &r, nil
}

// describe names r for messages.
func (r *Report) describe() string {
	if r.path == "" {
		return "the report of " + r.Hostname
	}
	return fmt.Sprintf("the report of %s (%s)", r.Hostname, r.File())
}
