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
	hintClosure  = "hosts/NAME.json on the stick lists this host's packages (or: ./install inventory --baseline >FILE). Where the bundle was built: bundle lock --baseline hosts/NAME.json, then bundle build with the same --baseline"
)

// rule is a message of yum, dnf or rpm, with its meaning and fix. $1 is the first group
// of the pattern.
type rule struct{ pattern, says, hint string }

// rules are tried in order; the patterns match the English messages of yum 3.4, dnf 4
// and rpm 4.11 to 4.18.
func (d Distro) rules() []rule {
	const (
		build  = `([^\s,]+?)` // NAME-EVR.ARCH
		script = "less " + logFile + " shows why"
	)
	remove := d.removal() // the package is appended
	return []rule{
		{`(?:another copy is running as pid|already locked by|process with pid) (\d+)`,
			"another package manager is running, process $1", "ps -fp $1 shows it; once it has exited, run the same command again"},
		{`(?i)db_runrecovery|died in Berkeley DB|rpmdb open failed|rpmdbNextIterator|Rpmdb checksum is invalid|cannot open Packages (?:index|database)|db5 error|database disk image is malformed`,
			"rpm's database is damaged", hintDatabase},
		{`can't create transaction lock on (\S+)`,
			"another rpm is running and holds $1", "fuser -v $1 shows it; once it has exited, run the same command again"},
		{`needs (\S+) (?:more space needed )?on the (\S+) filesystem`,
			"the file system of $2 needs $1 more space", "df -h $2; free some space there"},
		{`At least (\S+) more space needed on the (\S+) filesystem`,
			"the file system of $2 needs $1 more space", "df -h $2; free some space there"},
		{`No space left on device`, "a file system is full", "df -h; df -i"},
		{`Read-only file system`, "a file system is mounted read-only", "findmnt -O ro shows which; dmesg shows why"},
		{`file (\S+) from install of ` + build + ` conflicts with file from package ` + build + `(?:\s|$)`,
			"$2 contains the file $1, which belongs to $3", remove + "$3, if it is not needed"},
		{`file (\S+) conflicts between attempted installs of ` + build + ` and ` + build + `(?:\s|$)`,
			"$2 and $3 of the bundle contain the same file $1", "rebuild the bundle without one of them"},
		{`Protected multilib versions: ` + build + ` != ` + build + `(?:\s|$)`,
			"$1 and $2 must have the same version, and the bundle has only the first", remove + "$2, if it is not needed"},
		{`Package: ` + build + `(?: \([^)]*\))?\s*\n\s*Requires: ([^\n]+)`,
			"$1 needs $2, which neither this host nor the bundle has", hintClosure},
		{`nothing provides (.+?) needed by ` + build + `(?:\s|$)`,
			"$2 needs $1, which neither this host nor the bundle has", hintClosure},
		{`package ` + build + ` requires ([^\n]+?), but none of the providers can be installed`,
			"$1 needs $2, which neither this host nor the bundle has in a suitable version", hintClosure},
		{`package ` + build + ` conflicts with .+? provided by ` + build + `(?:\s|$)`,
			"$1 conflicts with $2", remove + "$2, if it is not needed"},
		{`(?m)^(?:Error: )?` + build + ` conflicts with ` + build + `$`,
			"$1 conflicts with $2", remove + "$2, if it is not needed"},
		{`(?i)error in (\S+) scriptlet in rpm package ` + build + `(?:\s|$)`, "the $1 script of $2 failed", script},
		{`error: %(\w+)\(([^\s)]+)\) scriptlet failed`, "the $1 script of $2 failed", script},
		{`[Pp]ackage ` + build + ` does not verify: ([^\n]+)`,
			"this host's rpm is configured to install only packages signed with an imported key: $1: $2", "grep -r pkgverify /etc/rpm /usr/lib/rpm/macros.d shows the file; set %_pkgverify_level digest there, then run the same command again"},
		{`No package (\S+) available`, "$1 is not in the unpacked repository", "rm -rf " + repoDir + ", then run the same command again"},
		{`(?i)does not match intended download|checksum (?:doesn't|does not) match|package not found|Cannot retrieve repository metadata|Failed to download metadata`,
			"the unpacked repository is damaged", "rm -rf " + repoDir + ", then run the same command again"},
	}
}

// explain turns the output of a package manager into an error with a hint. The error
// omits the command line, which names every package; without a matching rule it quotes
// the last lines of the output.
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
