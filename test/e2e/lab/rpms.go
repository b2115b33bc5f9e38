package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Spec is the recipe of an RPM: what rpmbuild's preamble says, files to text,
// executable all of them, and files of every kind. Requires, Provides, Conflicts
// and Obsoletes are as in a spec file, as are the scriptlets: "-p PROGRAM", or
// lines for /bin/sh.
type Spec struct {
	Name, Version, Release, Epoch, Arch      string
	Requires, Provides, Conflicts, Obsoletes []string
	Files                                    map[string]string
	Content                                  []RPMFile
	Pre, Post, PreUn, PostUn, PostTrans      string
}

func (s Spec) arch() string {
	if s.Arch == "" {
		return "x86_64"
	}
	return s.Arch
}

// FileName is the name that rpmbuild gives the file.
func (s Spec) FileName() string {
	return fmt.Sprintf("%s-%s-%s.%s.rpm", s.Name, s.Version, s.Release, s.arch())
}

func (s Spec) text() string {
	var b strings.Builder
	field := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(&b, "%s: %s\n", name, v)
			}
		}
	}
	field("Name", s.Name)
	field("Epoch", s.Epoch)
	field("Version", s.Version)
	field("Release", s.Release)
	field("Summary", "Lab package "+s.Name)
	field("License", "ASL 2.0")
	if s.Arch == "noarch" {
		field("BuildArch", "noarch")
	}
	field("Requires", s.Requires...)
	field("Provides", s.Provides...)
	field("Conflicts", s.Conflicts...)
	field("Obsoletes", s.Obsoletes...)
	b.WriteString("AutoReqProv: no\n%description\nMade by the lab, shaped like the real " + s.Name + ".\n%install\n")
	for name, text := range s.Files {
		fmt.Fprintf(&b, "mkdir -p %%{buildroot}%s\ncat > %%{buildroot}%s <<'LAB'\n%s\nLAB\n", filepath.Dir(name), name, text)
	}
	for _, f := range s.Content {
		b.WriteString(f.install())
	}
	for _, script := range [][2]string{{"pre", s.Pre}, {"post", s.Post}, {"preun", s.PreUn}, {"postun", s.PostUn}, {"posttrans", s.PostTrans}} {
		switch {
		case strings.HasPrefix(script[1], "-p "):
			b.WriteString("%" + script[0] + " " + script[1] + "\n")
		case script[1] != "":
			b.WriteString("%" + script[0] + "\n" + script[1] + "\n")
		}
	}
	b.WriteString("%files\n")
	for name := range s.Files {
		b.WriteString("%attr(0755,root,root) " + name + "\n")
	}
	for _, f := range s.Content {
		b.WriteString(f.listed())
	}
	return b.String()
}

// BuildRPMs makes the packages with rpmbuild into dir: payload xz, digests and
// arch as CentOS 7 has them.
func (l *Lab) BuildRPMs(ctx context.Context, dir string, specs ...Spec) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, err)
	}
	top, err := os.MkdirTemp(l.Dir, "rpmbuild-")
	if err != nil {
		return fmt.Errorf("cannot build RPMs: %w", err)
	}
	for _, s := range specs {
		file := filepath.Join(top, s.Name+".spec")
		if err := os.WriteFile(file, []byte(s.text()), 0o644); err != nil {
			return fmt.Errorf("cannot build %s: %w", s.Name, err)
		}
		_, err := Run(ctx, "rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--define", "_topdir "+top,
			"--define", "_rpmdir "+dir, "--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
			"--define", "_binary_payload w0T0.xzdio", "--define", "__os_install_post %{nil}", "--define", "_build_id_links none", "--define", "_source_filedigest_algorithm 8",
			"--define", "_binary_filedigest_algorithm 8", "--define", "_buildhost lab",
			"--define", "source_date_epoch_from_changelog 0", file)
		if err != nil {
			return fmt.Errorf("cannot build %s: %w", s.Name, err)
		}
	}
	return nil
}

// Signer is a GPG key of the lab.
type Signer struct {
	Home, UserID string
	Fingerprint  string // 40 upper-case hex digits
	Public       string // path of the armored public key
}

// NewSigner makes an RSA key without a passphrase.
func (l *Lab) NewSigner(ctx context.Context, label string) (*Signer, error) {
	// gpg-agent's socket has a short limit: the run directory is near the root of the temporary one.
	home := filepath.Join(l.Dir, "gpg-"+label)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("cannot generate a key: %w", err)
	}
	s := &Signer{Home: home, UserID: "Lab " + label + " <" + label + "@lab.invalid>", Public: filepath.Join(l.Dir, "RPM-GPG-KEY-"+label)}
	l.OnClose(func() error {
		_, err := Run(context.WithoutCancel(ctx), "gpgconf", "--homedir", home, "--kill", "gpg-agent")
		return err
	})
	gpg := []string{"gpg", "--homedir", home, "--batch", "--yes"}
	_, err := Run(ctx, append(gpg, "--passphrase", "", "--quick-generate-key", s.UserID, "rsa3072", "sign", "never")...)
	if err != nil {
		return nil, fmt.Errorf("cannot generate a key: %w", err)
	}
	if _, err := Run(ctx, append(gpg, "--armor", "--output", s.Public, "--export", s.UserID)...); err != nil {
		return nil, fmt.Errorf("cannot export the key: %w", err)
	}
	out, err := Run(ctx, append(gpg, "--with-colons", "--list-keys", s.UserID)...)
	if err != nil {
		return nil, fmt.Errorf("cannot list the key: %w", err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && s.Fingerprint == "" {
			s.Fingerprint = f[9]
		}
	}
	return s, nil
}

// Sign signs RPM files in place with rpmsign.
func (s *Signer) Sign(ctx context.Context, files ...string) error {
	argv := []string{"rpmsign", "--define", "_gpg_name " + s.UserID, "--define", "_gpg_path " + s.Home,
		"--define", "__gpg /usr/bin/gpg", "--addsign"}
	if _, err := RunIn(ctx, "", []string{"GNUPGHOME=" + s.Home}, append(argv, files...)...); err != nil {
		return fmt.Errorf("cannot sign RPMs: %w", err)
	}
	return nil
}

// CreateRepo runs createrepo_c over dir.
func CreateRepo(ctx context.Context, dir string, options ...string) error {
	argv := append([]string{"createrepo_c", "--quiet"}, options...)
	if _, err := Run(ctx, append(argv, dir)...); err != nil {
		return fmt.Errorf("cannot make a repository of %s: %w", dir, err)
	}
	return nil
}

// SharedData is the folder of real RPMs, keys and metadata beside the project,
// "" where it is absent. start is any folder of the project.
func SharedData(start string) string {
	dir, err := filepath.Abs(start)
	if err != nil {
		return ""
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			data := filepath.Join(filepath.Dir(dir), "shared", "data")
			if _, err := os.Stat(data); err == nil {
				return data
			}
			return ""
		}
		dir = filepath.Dir(dir)
	}
	return ""
}
