package rpm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// queryFormat has rpm print what Metadata holds; describe prints the same.
var queryFormat = `N %{NAME} E %{EPOCH} V %{VERSION} R %{RELEASE} A %{ARCH}
%{LICENSE}|%{VENDOR}|%{GROUP}|%{PACKAGER}|%{URL}|%{SOURCERPM}|%{BUILDHOST}|%{BUILDTIME}|%{LONGSIZE}
%{SUMMARY}
%{DESCRIPTION}
[P %{PROVIDENAME} %{PROVIDEFLAGS:depflags} %{PROVIDEVERSION}
][R %{REQUIRENAME} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}
][C %{CONFLICTNAME} %{CONFLICTFLAGS:depflags} %{CONFLICTVERSION}
][O %{OBSOLETENAME} %{OBSOLETEFLAGS:depflags} %{OBSOLETEVERSION}
][r %{RECOMMENDNAME} %{RECOMMENDFLAGS:depflags} %{RECOMMENDVERSION}
][s %{SUGGESTNAME} %{SUGGESTFLAGS:depflags} %{SUGGESTVERSION}
][u %{SUPPLEMENTNAME} %{SUPPLEMENTFLAGS:depflags} %{SUPPLEMENTVERSION}
][e %{ENHANCENAME} %{ENHANCEFLAGS:depflags} %{ENHANCEVERSION}
][F %{FILEMODES:perms} %{FILEFLAGS:fflags} %{FILENAMES}
]` + "\x01"

func describe(m *nevra.Metadata) string {
	none := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	var b strings.Builder
	fmt.Fprintf(&b, "N %s E %s V %s R %s A %s\n", m.Name, none(m.Epoch), m.Version, m.Release, m.Arch)
	fmt.Fprintf(&b, "%s|%s|%s|%s|%s|%s|%s|%d|%d\n%s\n%s\n", none(m.License), none(m.Vendor), none(m.Group), none(m.Packager),
		none(m.URL), none(m.SourceRPM), none(m.BuildHost), m.BuildTime, m.InstalledSize, none(m.Summary), none(m.Description))
	for _, kind := range []struct {
		mark string
		list []nevra.Relation
	}{
		{"P", m.Provides}, {"R", m.Requires}, {"C", m.Conflicts}, {"O", m.Obsoletes},
		{"r", m.Recommends}, {"s", m.Suggests}, {"u", m.Supplements}, {"e", m.Enhances},
	} {
		for _, r := range kind.list {
			evr := ""
			if r.Op != nevra.Any {
				evr = r.EVR.String()
				if r.EVR.Epoch == "0" {
					evr = "0:" + evr
				}
			}
			fmt.Fprintf(&b, "%s %s %s %s\n", kind.mark, r.Name, r.Op, evr)
		}
	}
	for _, f := range m.Files {
		fmt.Fprintf(&b, "F %s\n", fileLine(f))
	}
	return b.String()
}

func fileLine(f nevra.File) string { return fmt.Sprintf("%s %d", f.Path, f.Type) }

// normalizeQuery turns rpm's permissions and flags of files into our types, and
// the operators' padding into one blank.
func normalizeQuery(s string) string {
	relationMarks := map[string]bool{"P": true, "R": true, "C": true, "O": true, "r": true, "s": true, "u": true, "e": true}
	s = strings.ReplaceAll(s, "(none)", "")
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		fields := strings.Split(line, " ")
		if len(fields) < 4 || len(fields[0]) != 1 {
			continue
		}
		switch {
		case fields[0] == "F":
			kind := nevra.Plain
			if strings.HasPrefix(fields[1], "d") {
				kind = nevra.Dir
			} else if strings.Contains(fields[2], "g") {
				kind = nevra.Ghost
			}
			lines[i] = "F " + fileLine(nevra.File{Path: strings.Join(fields[3:], " "), Type: kind})
		case relationMarks[fields[0]]:
			lines[i] = strings.TrimRight(strings.Join(strings.Fields(line), " "), " ")
		}
	}
	return strings.Join(lines, "\n")
}

func TestReadMetadataAgainstRPM(t *testing.T) {
	t.Parallel()
	needTool(t, "rpm")
	dir, names := realRPMs(t)
	var args []string
	for _, name := range names {
		if !strings.HasPrefix(name, "pathological/") {
			args = append(args, filepath.Join(dir, name))
		}
	}
	cmd := exec.Command("rpm", append([]string{"-qp", "--nosignature", "--nodigest", "--dbpath", t.TempDir(), "--queryformat", queryFormat}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(string(out), "\x01")
	if len(answers) != len(args)+1 {
		t.Fatalf("rpm gave %d answers for %d packages", len(answers)-1, len(args))
	}
	files := 0
	for i, path := range args {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rpm.ReadMetadata(f)
		if closeErr := f.Close(); err != nil || closeErr != nil {
			t.Errorf("%s: %v %v", path, err, closeErr)
			continue
		}
		files += len(m.Files)
		got, want := normalizeQuery(describe(m)), normalizeQuery(answers[i])
		if got != want {
			t.Errorf("%s: %s", filepath.Base(path), firstDifference(got, want))
		}
	}
	t.Logf("%d packages, %d files compared", len(args), files)
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %q, rpm says %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, rpm says %d", len(g), len(w))
}

func TestReadMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	evr := nevra.ParseEVR
	spec := rpmtest.Spec{
		Name: "foo", Epoch: "3", Version: "1.2", Release: "4.el7", Arch: "x86_64", Summary: "A foo",
		Provides:    []nevra.Relation{{Name: "webserver"}, {Name: "libfoo.so.1()(64bit)"}},
		Requires:    []nevra.Relation{{Name: "bar", Op: nevra.GE, EVR: evr("2:1.0-1"), Pre: true}, {Name: "(a if b)"}, {Name: "/bin/sh"}},
		Conflicts:   []nevra.Relation{{Name: "baz", Op: nevra.LT, EVR: evr("2")}},
		Obsoletes:   []nevra.Relation{{Name: "oldfoo", Op: nevra.LE, EVR: evr("1-9")}},
		Recommends:  []nevra.Relation{{Name: "docs"}},
		Suggests:    []nevra.Relation{{Name: "more", Op: nevra.GT, EVR: evr("1")}},
		Supplements: []nevra.Relation{{Name: "(bar and baz)"}},
		Enhances:    []nevra.Relation{{Name: "qux", Op: nevra.EQ, EVR: evr("0:1-1")}},
		Files:       map[string][]byte{"/usr/bin/foo": []byte("#!/bin/sh\n"), "/etc/foo/": nil},
	}
	b, err := rpmtest.Build(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, span, err := rpm.ReadHeader(iotest.OneByteReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	if m.NEVRA != spec.NEVRA() || m.String() != "foo-3:1.2-4.el7.x86_64" || m.FileName() != "foo-1.2-4.el7.x86_64.rpm" {
		t.Errorf("NEVRA is %v", m.NEVRA)
	}
	self := nevra.Relation{Name: "foo", Op: nevra.EQ, EVR: m.EVR}
	for _, c := range []struct {
		what      string
		got, want []nevra.Relation
	}{
		{"provides", m.Provides, append([]nevra.Relation{self}, spec.Provides...)},
		{"requires", m.Requires, spec.Requires},
		{"conflicts", m.Conflicts, spec.Conflicts},
		{"obsoletes", m.Obsoletes, spec.Obsoletes},
		{"recommends", m.Recommends, spec.Recommends},
		{"suggests", m.Suggests, spec.Suggests},
		{"supplements", m.Supplements, spec.Supplements},
		{"enhances", m.Enhances, spec.Enhances},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s are %v, want %v", c.what, c.got, c.want)
		}
	}
	if want := []nevra.File{{Path: "/etc/foo", Type: nevra.Dir}, {Path: "/usr/bin/foo"}}; !reflect.DeepEqual(m.Files, want) {
		t.Errorf("files are %v, want %v", m.Files, want)
	}
	if m.BuildTime != rpmtest.BuildTime().Unix() || m.Summary != "A foo" || m.SourceRPM == "" {
		t.Errorf("metadata is %+v", m)
	}
	if !bytes.HasPrefix(b[span.Start:], []byte{0x8e, 0xad, 0xe8, 1}) || !bytes.HasPrefix(b[span.End:], []byte{0x1f, 0x8b}) {
		t.Errorf("header lies at %+v", span)
	}
}

func TestReadMetadataTruncated(t *testing.T) {
	t.Parallel()
	b, err := rpmtest.Build(rpmtest.Spec{Name: "foo", Version: "1", Files: map[string][]byte{"/etc/foo": nil}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, span, err := rpm.ReadHeader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for n := range span.End {
		m, err := rpm.ReadMetadata(bytes.NewReader(b[:n]))
		if !errors.Is(err, rpm.ErrCorrupt) || m != nil {
			t.Fatalf("cut to %d of %d bytes: %v, %v", n, span.End, m, err)
		}
		if n > 96 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut to %d of %d bytes: %v", n, span.End, err)
		}
	}
	if _, err := rpm.ReadMetadata(bytes.NewReader(b[:span.End])); err != nil {
		t.Fatal(err)
	}
}

func TestReadMetadataRefuses(t *testing.T) {
	t.Parallel()
	good, err := rpmtest.Build(rpmtest.Spec{Name: "foo", Version: "1", Files: map[string][]byte{"/etc/foo": nil}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, span, err := rpm.ReadHeader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	at := func(offset int64, value uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[offset:], value)
		return b
	}
	// The header's third entry is the name: tag, type, offset, count.
	name := span.Start + 16 + 16*2
	for _, c := range []struct {
		what, want string
		file       []byte
		hint       string
	}{
		{"nothing", "the file is empty", nil, "fetch it again"},
		{"text", `not an RPM: it begins with "hello"`, []byte("hello"), "fetch it again"},
		{"a web page", "it is a web page", []byte("\n<!DOCTYPE html><html>"), "browser"},
		{"a git-lfs pointer", "it is a git-lfs pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"), "git lfs pull"},
		{"a delta", "it is a delta RPM", []byte("drpmDLT3"), "complete packages"},
		{"no magic", "does not begin with a header's magic number", at(span.Start, 0), "rpm -Kv"},
		{"4 billion entries", "claims 4294967295 entries", at(span.Start+8, 0xffffffff), "rpm -Kv"},
		{"no entries", "claims 0 entries", at(span.Start+8, 0), "rpm -Kv"},
		{"4 GiB of data", "claims 4294967295 bytes", at(span.Start+12, 0xffffffff), "rpm -Kv"},
		{"60 MiB of data that are not there", "it is truncated in the header", at(span.Start+12, 60<<20), "rpm -Kv"},
		{"a reserved tag", "tag 7: reserved tag", at(name, 7), "rpm -Kv"},
		{"a tag twice", "duplicate", at(name, 100), "rpm -Kv"},
		{"an unknown type", "unknown type 77", at(name+4, 77), "rpm -Kv"},
		{"a name that is a number", "tag 1000", at(name+4, 2), "rpm -Kv"},
		{"an offset outside", "is outside", at(name+8, 1<<30), "rpm -Kv"},
		{"an offset before", "overlapping data", at(name+8, 0), "rpm -Kv"},
		{"a huge count", "invalid count 2147483648", at(name+12, 1<<31), "rpm -Kv"},
		{"invalid count 0", "invalid count 0", at(name+12, 0), "rpm -Kv"},
		{"two names in one", "string with a count of 2", at(name+12, 2), "rpm -Kv"},
		{"a region that ends early", "region", at(span.Start+16+8, 16), "rpm -Kv"},
	} {
		m, err := rpm.ReadMetadata(bytes.NewReader(c.file))
		if err == nil || !errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v, %v (hint %q), want %q", c.what, m, err, hint.Of(err), c.want)
		}
	}
}

func TestReadMetadataRefusesNames(t *testing.T) {
	t.Parallel()
	for _, spec := range []rpmtest.Spec{
		{Name: "../etc/passwd", Version: "1"},
		{Name: "a/b", Version: "1"},
		{Name: "-y", Version: "1"},
		{Name: ".hidden", Version: "1"},
		{Name: "a b", Version: "1"},
		{Name: "a\nb", Version: "1"},
		{Name: "a", Version: "1/2"},
		{Name: "a", Version: "1-2"},
		{Name: "a", Version: "1", Release: "../1"},
		{Name: "a", Version: "1", Arch: "x86_64/.."},
		{Name: strings.Repeat("a", 256), Version: "1"},
	} {
		b, err := rpmtest.Build(spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := rpm.ReadMetadata(bytes.NewReader(b)); !errors.Is(err, rpm.ErrCorrupt) {
			t.Errorf("%q: %v, %v", spec.NEVRA(), m, err)
		}
	}
}

// TestReadMetadataReadError: a failing disk or network is no corrupt package.
func TestReadMetadataReadError(t *testing.T) {
	t.Parallel()
	b, err := rpmtest.Build(rpmtest.Spec{Name: "foo", Version: "1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("connection reset")
	for _, n := range []int{0, 50, 96, 100, 200, 500, 1000} {
		r := io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken))
		if _, err := rpm.ReadMetadata(r); !errors.Is(err, broken) || errors.Is(err, rpm.ErrCorrupt) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}
