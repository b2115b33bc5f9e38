package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

// Signed says by which key an archive was signed.
type Signed struct {
	Path string `json:"path"`
	*trust.Signed
}

// Sign signs the archive at path with k, and the installers beside it that are
// the one in it, after reading every byte: what is damaged is not signed.
func Sign(ctx context.Context, path string, k *trust.SecretKey, report progress.Func) (*Signed, error) {
	if _, err := verify.Archive(ctx, path, verify.Options{}, report); err != nil {
		return nil, err
	}
	programs, err := ownInstallers(path, report)
	if err != nil {
		return nil, err
	}
	s, err := k.Sign(ctx, path, programs, report)
	if err != nil {
		return nil, err
	}
	return &Signed{Path: path, Signed: s}, nil
}

// sign signs what a build has written.
func (b *builder) sign(ctx context.Context, k *trust.SecretKey, res *Result, installers []WrittenFile) error {
	var programs []string
	for _, w := range installers {
		programs = append(programs, w.Path)
	}
	s, err := k.Sign(ctx, res.Files[0].Path, programs, b.report)
	if err != nil {
		return err
	}
	res.Key, res.Fingerprint = s.Key, s.Fingerprint
	for _, path := range s.Files {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("cannot sign: %w", err)
		}
		res.Files = append(res.Files, WrittenFile{Path: path, Size: info.Size()})
	}
	return nil
}

// installerMember is where an archive has the installer.
func installerMember(arch string) string { return "bin/install-linux-" + arch }

// ownInstallers lists the installers beside the archive that it has as a member.
func ownInstallers(path string, report progress.Func) (own []string, err error) {
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	arch, want := r.Index().Platform.Arch, ""
	for _, m := range r.Index().Members {
		if m.Path == installerMember(arch) {
			want = m.SHA256
		}
	}
	for _, program := range trust.Programs(path, arch) {
		sum, err := hashOf(program)
		if err != nil {
			return nil, fmt.Errorf("cannot read the installer: %w", err)
		}
		if sum != want {
			report.Report(progress.Event{Kind: progress.Note, Stage: "sign", Text: program + " is not the installer in the archive, and is not signed"})
			continue
		}
		own = append(own, program)
	}
	return own, nil
}

// hashOf is the SHA-256 of a file, in hex.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer closeRead(f)
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// WriteText prints what was signed.
func (s *Signed) WriteText(w io.Writer) error {
	p := lines.New(w)
	p.Line("%s is signed by the key with the fingerprint %s", s.Path, s.Fingerprint)
	for _, f := range s.Files {
		p.Line("  %s", f)
	}
	p.Line("next: bundle verify %s --key %s", s.Path, s.Key)
	return p.Flush()
}
