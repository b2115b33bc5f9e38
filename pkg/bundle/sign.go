package bundle

import (
	"context"
	"fmt"
	"io"
	"os"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/table"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

// Signed names the key that signed an archive.
type Signed struct {
	Path string `json:"path"`
	*trust.Signed
}

// Sign verifies every byte of the archive at path and signs it with k, and the
// installers next to it. A damaged archive is not signed, nor is one next to an
// installer other than the one in it.
func Sign(ctx context.Context, path string, k *trust.SecretKey, report progress.Func) (*Signed, error) {
	v, err := verify.Archive(ctx, path, verify.Options{Sign: true, Package: PackageFile}, report)
	if err != nil {
		return nil, err
	}
	s, err := v.Sign(k)
	if err != nil {
		return nil, err
	}
	return &Signed{Path: path, Signed: s}, nil
}

// PackageFile reads a whole RPM and returns its file name according to its header.
func PackageFile(r io.Reader) (string, error) {
	v, err := rpm.Check(r)
	if err != nil {
		return "", err
	}
	return repodata.FileName(v.Metadata.NEVRA)
}

// signWritten signs the output of a build by the hashes computed while writing, not
// by the files that now have these names.
func signWritten(k *trust.SecretKey, base string, w *archive.Written) (*trust.Signed, error) {
	var files []trust.File
	for _, list := range [][]archive.WrittenFile{w.Files, w.Programs} {
		for _, f := range list {
			files = append(files, trust.File{Path: f.Path, SHA256: f.SHA256, Digest: f.Tap})
		}
	}
	return k.Sign(base, w.IndexText, files)
}

// signed records s in r.
func (r *Result) signed(s *trust.Signed) error {
	r.Key, r.Fingerprint = s.Key, s.Fingerprint
	for _, path := range s.Files {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("cannot sign: %w", err)
		}
		r.Files = append(r.Files, WrittenFile{Path: path, Size: info.Size()})
	}
	return nil
}

// installerMember is the installer's path in an archive.
func installerMember(arch string) string { return archive.ProgramMember(archive.ProgramName, arch) }

// WriteText prints what was signed.
func (s *Signed) WriteText(w io.Writer) error {
	p := table.New(w)
	p.Line("%s is signed by the key with fingerprint %s", s.Path, s.Fingerprint)
	for _, f := range s.Files {
		p.Line("  %s", f)
	}
	p.Line("next: bundle verify %s --key %s", s.Path, s.Key)
	return p.Flush()
}
