package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/signed"
)

// Result is what an installation made of a host, for the sheet on the stick. It
// holds no secret.
type Result struct {
	Bundle string        `json:"bundle"`
	Role   manifest.Role `json:"role"`
	Node   string        `json:"node"` // its name, which the host may get later
	Ready  bool          `json:"ready"`
	Says   string        `json:"says"` // one sentence
}

// Sign signs f as it is; what changes later makes the signature wrong.
func (f *Facts) Sign(s *signed.Signer) error {
	f.Key, f.KeySince, f.Signature = s.Key(), s.Since, ""
	data, err := f.Marshal()
	if err != nil {
		return err
	}
	f.Signature, err = s.Sign(data)
	return err
}

// Signed says that f was read with a signature that fits.
func (f *Facts) Signed() bool { return f.Signature != "" }

// File is the name of the file that f was read from, "" for one that was not.
func (f *Facts) File() string {
	if f.path == "" {
		return ""
	}
	return path.Base(f.path)
}

// verified reads a sheet without the checks of its content.
func verified(data []byte) (*Facts, error) {
	o, err := signed.Open(data)
	if errors.Is(err, signed.ErrSignature) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("it is no sheet of a host: %w", err)
	}
	// What was signed is what counts, also where a key stands there twice.
	var f Facts
	if err := json.Unmarshal(o.Body, &f); err != nil {
		return nil, fmt.Errorf("it is no sheet of a host: %w", err)
	}
	f.Key, f.Signature = o.Key, o.Signature
	if o.Key == "" {
		f.KeySince = time.Time{}
	}
	return &f, nil
}

func (f *Facts) who() string {
	if f.path == "" {
		return "the sheet of " + f.Hostname
	}
	return fmt.Sprintf("the sheet of %s, %s,", f.Hostname, f.File())
}
