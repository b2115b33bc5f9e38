package archive

import (
	"fmt"
	"strings"

	"kubecrate/manifest"
)

// The tar stream: POSIX.1-1988 ustar, with a POSIX.1-2001 (pax) extended
// header only where a path or a size does not fit. See doc.go for every byte.
const (
	blockSize = 512
	// tarTime is 1980-01-01T00:00:00Z, the earliest time of FAT.
	tarTime = 315532800
	// ustarSizeLimit is the first size that eleven octal digits cannot hold.
	ustarSizeLimit = 1 << 33

	ustarName   = 100
	ustarPrefix = 155
)

// roundUp is n rounded up to whole tar blocks.
func roundUp(n int64) int64 { return (n + blockSize - 1) &^ (blockSize - 1) }

// header returns the tar header of a member.
func header(a manifest.Artifact) []byte {
	prefix, name, fits := splitPath(a.Path)
	size := a.Size
	var out []byte
	if records := paxRecords(a, fits); records != "" {
		body := make([]byte, roundUp(int64(len(records))))
		copy(body, records)
		out = append(ustar("", "pax", int64(len(records)), mode(manifest.KindMeta), 'x'), body...)
	}
	if !fits {
		prefix, name = "", strings.ToValidUTF8(a.Path[max(0, len(a.Path)-ustarName):], "_")
		name = strings.Map(asciiOnly, name)
	}
	if size >= ustarSizeLimit {
		size = 0
	}
	return append(out, ustar(prefix, name, size, mode(a.Kind), '0')...)
}

// headerSize is len(header(a)).
func headerSize(a manifest.Artifact) int64 {
	_, _, fits := splitPath(a.Path)
	if records := paxRecords(a, fits); records != "" {
		return 2*blockSize + roundUp(int64(len(records)))
	}
	return blockSize
}

func mode(k manifest.Kind) int64 {
	if k == manifest.KindBinary {
		return 0o755
	}
	return 0o644
}

func asciiOnly(r rune) rune {
	if r < ' ' || r > '~' {
		return '_'
	}
	return r
}

// splitPath splits a path into ustar's two fields; fits is false if only a pax
// record can hold it.
func splitPath(path string) (prefix, name string, fits bool) {
	if strings.Map(asciiOnly, path) != path {
		return "", "", false
	}
	if len(path) <= ustarName {
		return "", path, true
	}
	for i := range path {
		if path[i] == '/' && i <= ustarPrefix && len(path)-i-1 <= ustarName {
			return path[:i], path[i+1:], true
		}
	}
	return "", "", false
}

// paxRecords returns what ustar's fields cannot hold, "" for most members.
func paxRecords(a manifest.Artifact, pathFits bool) string {
	var records string
	if !pathFits {
		records += paxRecord("path", a.Path)
	}
	if a.Size >= ustarSizeLimit {
		records += paxRecord("size", fmt.Sprint(a.Size))
	}
	return records
}

// paxRecord is "LENGTH key=value\n", where LENGTH counts itself.
func paxRecord(key, value string) string {
	rest := fmt.Sprintf(" %s=%s\n", key, value)
	n := len(rest)
	for n != len(fmt.Sprint(n))+len(rest) {
		n = len(fmt.Sprint(n)) + len(rest)
	}
	return fmt.Sprint(n) + rest
}

// ustar is one header block. Fields that it does not set are zero: no user or
// group names, no link, uid and gid 0.
func ustar(prefix, name string, size, mode int64, typeflag byte) []byte {
	b := make([]byte, blockSize)
	copy(b[0:100], name)
	octal(b[100:108], mode)
	octal(b[108:116], 0)
	octal(b[116:124], 0)
	octal(b[124:136], size)
	octal(b[136:148], tarTime)
	b[156] = typeflag
	copy(b[257:265], "ustar\x0000")
	octal(b[329:337], 0)
	octal(b[337:345], 0)
	copy(b[345:500], prefix)
	copy(b[148:156], "        ")
	var sum int64
	for _, c := range b {
		sum += int64(c)
	}
	octal(b[148:155], sum)
	return b
}

// octal fills field with digits and a closing NUL.
func octal(field []byte, v int64) {
	copy(field, fmt.Sprintf("%0*o\x00", len(field)-1, v))
}
