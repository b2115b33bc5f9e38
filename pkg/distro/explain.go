package distro

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/visible"
)

const (
	hintDatabase = "rm -f /var/lib/rpm/__db.*; rpm --rebuilddb"
	hintClosure  = "what this host has is written to hosts/NAME.json on the stick (or: ./install inventory --baseline >FILE). Where the bundle was made: bundle lock --baseline hosts/NAME.json, then bundle build with the same --baseline"
)

// rule is something that yum, dnf or rpm say, and what it means. In the texts
// $1 is the first group of the pattern.
type rule struct{ pattern, says, hint string }

// rules are tried in order; the texts are those of yum 3.4, dnf 4 and rpm 4.11
// to 4.18 in English.
func (d Distro) rules() []rule {
	const (
		build  = `([^\s,]+?)` // NAME-EVR.ARCH
		script = "less " + logFile + " shows why"
	)
	remove := d.removal() // what follows is the package
	return []rule{
		{`(?:another copy is running as pid|already locked by|process with pid) (\d+)`,
			"another package manager is at work, process $1", "ps -fp $1 shows it; when it has ended, run this again"},
		{`(?i)db_runrecovery|died in Berkeley DB|rpmdb open failed|rpmdbNextIterator|Rpmdb checksum is invalid|cannot open Packages (?:index|database)|db5 error|database disk image is malformed`,
			"rpm's database is damaged", hintDatabase},
		{`can't create transaction lock on (\S+)`,
			"another rpm is at work: it holds $1", "fuser -v $1 shows it; when it has ended, run this again"},
		{`needs (\S+) (?:more space needed )?on the (\S+) filesystem`,
			"$1 more are needed on the file system of $2", "df -h $2; make room there"},
		{`At least (\S+) more space needed on the (\S+) filesystem`,
			"$1 more are needed on the file system of $2", "df -h $2; make room there"},
		{`No space left on device`, "a file system is full", "df -h; df -i"},
		{`Read-only file system`, "a file system is mounted read-only", "findmnt -O ro shows which; dmesg shows why"},
		{`file (\S+) from install of ` + build + ` conflicts with file from package ` + build + `(?:\s|$)`,
			"$2 has the file $1, which belongs to $3", remove + "$3, if it is not needed"},
		{`file (\S+) conflicts between attempted installs of ` + build + ` and ` + build + `(?:\s|$)`,
			"$2 and $3 of the bundle have the same file $1", "make the bundle anew without one of them"},
		{`Protected multilib versions: ` + build + ` != ` + build + `(?:\s|$)`,
			"$1 and $2 have to be of one version, and the bundle has only the first", remove + "$2, if it is not needed"},
		{`Package: ` + build + `(?: \([^)]*\))?\s*\n\s*Requires: ([^\n]+)`,
			"$1 needs $2, which neither this host nor the bundle has", hintClosure},
		{`nothing provides (.+?) needed by ` + build + `(?:\s|$)`,
			"$2 needs $1, which neither this host nor the bundle has", hintClosure},
		{`package ` + build + ` requires ([^\n]+?), but none of the providers can be installed`,
			"$1 needs $2, which neither this host nor the bundle has in a version that fits", hintClosure},
		{`package ` + build + ` conflicts with .+? provided by ` + build + `(?:\s|$)`,
			"$1 conflicts with $2", remove + "$2, if it is not needed"},
		{`(?m)^(?:Error: )?` + build + ` conflicts with ` + build + `$`,
			"$1 conflicts with $2", remove + "$2, if it is not needed"},
		{`(?i)error in (\S+) scriptlet in rpm package ` + build + `(?:\s|$)`, "the $1 script of $2 failed", script},
		{`error: %(\w+)\(([^\s)]+)\) scriptlet failed`, "the $1 script of $2 failed", script},
		{`[Pp]ackage ` + build + ` does not verify: ([^\n]+)`,
			"rpm of this host is told to install nothing without a key of its own: $1: $2", "grep -r pkgverify /etc/rpm /usr/lib/rpm/macros.d shows the file; with %_pkgverify_level digest there, run this again"},
		{`No package (\S+) available`, "$1 is not in the unpacked repository", "rm -rf " + repoDir + ", then run this again"},
		{`(?i)does not match intended download|checksum (?:doesn't|does not) match|package not found|Cannot retrieve repository metadata|Failed to download metadata`,
			"the unpacked repository is damaged", "rm -rf " + repoDir + ", then run this again"},
	}
}

// explain turns what a package manager said into a sentence with its fix. The
// command line, which names every package, is left out of the error; where
// nothing is known its last lines are in.
func (d Distro) explain(err error, said string) error {
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	cause := fmt.Errorf("%s: %w", failed.Argv[0], failed.Err)
	for _, r := range d.rules() {
		re := regexp.MustCompile(r.pattern)
		m := re.FindStringSubmatchIndex(said)
		if m == nil {
			continue
		}
		fill := func(text string) string { return string(re.ExpandString(nil, text, said, m)) }
		return hint.With(fmt.Errorf("%s (%w)", fill(r.says), cause), "%s", fill(r.hint))
	}
	const most = 12
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if text := strings.Join(lines[max(0, len(lines)-most):], "\n"); text != "" {
		return &visible.Quoted{Err: cause, Said: text}
	}
	return cause
}
