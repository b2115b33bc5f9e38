package lab

import (
	"fmt"
	"io/fs"
	"path"
)

// RPMFile is a file of an RPM: the copy of one on this machine (Source), a text,
// a link or, if none of these is given, an empty folder.
type RPMFile struct {
	Path   string // on the host
	Source string
	Text   string
	Link   string
	Mode   fs.FileMode // 0 is 0644, of a folder 0755
	Owner  string      // "" is root; a group of that name goes with it
	Config bool        // %config(noreplace)
}

// executable is a program of an RPM.
func executable(to, source string) RPMFile { return RPMFile{Path: to, Source: source, Mode: 0o755} }

// install is what makes the file in the buildroot.
func (f RPMFile) install() string {
	made := "%{buildroot}" + f.Path
	switch {
	case f.Link != "":
		return fmt.Sprintf("mkdir -p %%{buildroot}%s\nln -s %s %s\n", path.Dir(f.Path), f.Link, made)
	case f.Source != "":
		return fmt.Sprintf("install -D -m 0644 '%s' '%s'\n", f.Source, made)
	case f.Text != "":
		return fmt.Sprintf("mkdir -p %%{buildroot}%s\ncat > %s <<'LAB'\n%sLAB\n", path.Dir(f.Path), made, f.Text)
	}
	return "mkdir -p " + made + "\n"
}

// listed is the file's line of %files.
func (f RPMFile) listed() string {
	if f.Link != "" {
		return f.Path + "\n"
	}
	mode, owner, kind := f.Mode, f.Owner, ""
	if owner == "" {
		owner = "root"
	}
	if f.Source == "" && f.Text == "" {
		kind = "%dir "
		if mode == 0 {
			mode = 0o755
		}
	}
	if mode == 0 {
		mode = 0o644
	}
	if f.Config {
		kind += "%config(noreplace) "
	}
	return fmt.Sprintf("%%attr(%04o,%s,%s) %s%s\n", mode, owner, owner, kind, f.Path)
}

// systemdPost, systemdPreUn and systemdPostUn are what the macros of systemd
// 219 in CentOS 7 (macros.systemd) expand to.
func systemdPost(unit string) string {
	return "if [ $1 -eq 1 ] ; then\n\tsystemctl preset " + unit + " >/dev/null 2>&1 || :\nfi"
}

func systemdPreUn(unit string) string {
	return "if [ $1 -eq 0 ] ; then\n\tsystemctl --no-reload disable " + unit + " >/dev/null 2>&1 || :\n\tsystemctl stop " + unit + " >/dev/null 2>&1 || :\nfi"
}

func systemdPostUn(unit string) string {
	return "systemctl daemon-reload >/dev/null 2>&1 || :\nif [ $1 -ge 1 ] ; then\n\tsystemctl try-restart " + unit + " >/dev/null 2>&1 || :\nfi"
}
