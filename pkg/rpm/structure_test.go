package rpm_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// headerOf writes a header: a region of the given tag, 0 for none, over the
// entries, which come in any order. Numbers are not aligned.
func headerOf(region uint32, entries ...sigEntry) []byte {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b sigEntry) int { return int(a.tag) - int(b.tag) })
	row := func(numbers ...uint32) (out []byte) {
		for _, n := range numbers {
			out = binary.BigEndian.AppendUint32(out, n)
		}
		return out
	}
	var table, store []byte
	for _, e := range entries {
		for e.kind == 4 && len(store)%4 != 0 {
			store = append(store, 0)
		}
		table = append(table, row(e.tag, e.kind, uint32(len(store)), uint32(e.count))...)
		store = append(store, e.data...)
	}
	if region != 0 {
		table = append(row(region, 7, uint32(len(store)), 16), table...)
		store = append(store, row(region, 7, -uint32(len(table)), 16)...)
	}
	out := []byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0}
	out = append(out, row(uint32(len(table)/16), uint32(len(store)))...)
	return append(append(out, table...), store...)
}

// entriesOf reads a well-formed header, without its region.
func entriesOf(b []byte) []sigEntry {
	n := int(binary.BigEndian.Uint32(b[8:]))
	store := b[16+16*n:]
	var out []sigEntry
	for i := range n {
		at := b[16+16*i:]
		e := sigEntry{binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:]), int(binary.BigEndian.Uint32(at[12:])), nil}
		start := int(binary.BigEndian.Uint32(at[8:]))
		end := start
		switch e.kind {
		case 6, 8, 9:
			for range e.count {
				end += bytes.IndexByte(store[end:], 0) + 1
			}
		default:
			end += e.count * map[uint32]int{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[e.kind]
		}
		e.data = store[start:end]
		if e.tag >= 100 {
			out = append(out, e)
		}
	}
	return out
}

// reheader gives a package another header and the digests of it.
func reheader(t testing.TB, file []byte, change func([]sigEntry) []sigEntry) []byte {
	t.Helper()
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	header := headerOf(63, change(entriesOf(file[span.Start:span.End]))...)
	return assemble(file[:96], headerOf(62, digestsOf(header)...), header, file[span.End:])
}

func digestsOf(header []byte) []sigEntry {
	one, two := sha1.Sum(header), sha256.Sum256(header)
	return []sigEntry{stringEntry(269, 6, hex.EncodeToString(one[:])), stringEntry(273, 6, hex.EncodeToString(two[:]))}
}

func assemble(lead, signatures, header, payload []byte) []byte {
	padding := make([]byte, (8-len(signatures)%8)%8)
	return bytes.Join([][]byte{lead, signatures, padding, header, payload}, nil)
}

func without(tags ...uint32) func([]sigEntry) []sigEntry {
	return func(list []sigEntry) []sigEntry {
		return slices.DeleteFunc(list, func(e sigEntry) bool { return slices.Contains(tags, e.tag) })
	}
}

func number(tag, n uint32) sigEntry {
	return sigEntry{tag, 4, 1, binary.BigEndian.AppendUint32(nil, n)}
}

// TestUnsupported: what is in a format that is not read is not called damaged.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	file := build(t, nil)
	digestKind := func(kind uint32) func([]sigEntry) []sigEntry {
		return func(list []sigEntry) []sigEntry { return append(without(5093)(list), number(5093, kind)) }
	}
	lead := func(at int, b byte) []byte {
		f := bytes.Clone(file)
		f[at] = b
		return f
	}
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"format 6", "an RPM of format 6", reheader(t, file, func(list []sigEntry) []sigEntry { return append(list, number(5114, 6)) })},
		{"format 6 with its digest", "an RPM of format 6", reheader(t, file, func(list []sigEntry) []sigEntry { return append(without(5093)(list), number(5114, 6)) })},
		{"the digest of format 6", "a payload digest with RFC 4880 algorithm 0", reheader(t, file, without(5093))},
		{"SHA3", "a payload digest with RFC 4880 algorithm 14", reheader(t, file, digestKind(14))},
		{"format 2", "an RPM of format 2", lead(4, 2)},
		{"another kind of signature", "with signature type 1", lead(79, 1)},
		{"a later header", "a header of version 2", lead(int(span.Start)+3, 2)},
		{"a later signature header", "a signature header of version 3", lead(96+3, 3)},
	} {
		v, err := rpm.Check(bytes.NewReader(c.file))
		if !errors.Is(err, rpm.ErrUnsupported) || errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), "does not help") {
			t.Errorf("%s: %+v, %v (hint %q), want %q", c.name, v, err, hint.Of(err), c.want)
		}
	}
	for _, kind := range []uint32{4, 3} {
		f := reheader(t, file, func(list []sigEntry) []sigEntry { return append(list, number(5114, kind)) })
		if _, err := rpm.Check(bytes.NewReader(f)); err != nil {
			t.Errorf("format %d: %v", kind, err)
		}
	}
}

// TestSourcePackage: a package that names no source package is one, whatever
// else its header says.
func TestSourcePackage(t *testing.T) {
	t.Parallel()
	file := build(t, nil)
	for _, c := range []struct {
		name, arch string
		change     func([]sigEntry) []sigEntry
	}{
		{"as built", "x86_64", func(list []sigEntry) []sigEntry { return list }},
		{"no SOURCERPM", "src", without(1044)},
		{"SOURCERPM and SOURCEPACKAGE", "x86_64", func(list []sigEntry) []sigEntry { return append(list, number(1106, 1)) }},
		{"SOURCEPACKAGE alone", "src", func(list []sigEntry) []sigEntry { return append(without(1044)(list), number(1106, 1)) }},
	} {
		v, err := rpm.Check(bytes.NewReader(reheader(t, file, c.change)))
		if err != nil || v.Metadata.Arch != c.arch {
			t.Errorf("%s: %+v, %v, want %s", c.name, v, err, c.arch)
		}
	}
}

// TestHeaderBounds puts entries at the edge of what a region covers.
func TestHeaderBounds(t *testing.T) {
	t.Parallel()
	grown := func(region uint32, last sigEntry, by uint32) []byte {
		b := headerOf(region, stringEntry(1000, 6, "n"), last) // of a tag that has no type of its own
		at := 16 + 16*2                                        // the second entry behind the region's
		binary.BigEndian.PutUint32(b[at+12:], binary.BigEndian.Uint32(b[at+12:])+by)
		return b
	}
	for _, region := range []uint32{62, 63} {
		for _, c := range []struct {
			name string
			last sigEntry
		}{
			{"bytes", binEntry(6001, make([]byte, 8))},
			{"numbers", sigEntry{6001, 2, 8, make([]byte, 8)}},
		} {
			if err := rpm.ReadOneHeader(grown(region, c.last, 0), region == 62); err != nil {
				t.Errorf("region %d, %s up to the trailer: %v", region, c.name, err)
			}
			for by := uint32(1); by <= 17; by++ {
				if err := rpm.ReadOneHeader(grown(region, c.last, by), region == 62); !errors.Is(err, rpm.ErrCorrupt) {
					t.Errorf("region %d, %s reach %d bytes into the trailer: %v", region, c.name, by, err)
				}
			}
		}
	}
	var many []sigEntry
	for tag := range uint32(33) {
		many = append(many, stringEntry(6000+tag, 6, ""))
	}
	if err := rpm.ReadOneHeader(headerOf(62, many[:31]...), true); err != nil {
		t.Errorf("32 entries: %v", err)
	}
	if err := rpm.ReadOneHeader(headerOf(62, many[:32]...), true); err == nil || !strings.Contains(err.Error(), "33 entries, the limit is 32") {
		t.Errorf("33 entries: %v", err)
	}
	if err := rpm.ReadOneHeader(headerOf(63, many...), false); err != nil {
		t.Errorf("34 entries of a header: %v", err)
	}
}

// TestVerifyHeaderSignatureAlone: a signature over a header that states no
// digest of the payload, as EL7's do not, vouches for no payload.
func TestVerifyHeaderSignatureAlone(t *testing.T) {
	t.Parallel()
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	keys, file := readKeyring(t, s.ArmoredPublicKey()), build(t, s)
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(change func([]sigEntry) []sigEntry, whole bool) []byte {
		header := headerOf(63, change(entriesOf(file[span.Start:span.End]))...)
		list := append(digestsOf(header), binEntry(267, sign(t, s, header)))
		if whole {
			list = append(list, binEntry(1005, sign(t, s, append(bytes.Clone(header), file[span.End:]...))))
		}
		return assemble(file[:96], headerOf(62, list...), header, file[span.End:])
	}
	keep := func(list []sigEntry) []sigEntry { return list }
	bare := without(5092, 5093, 5097)
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"digest", signed(keep, false), nil},
		{"no digest", signed(bare, false), rpm.ErrUntrustedKey},
		{"no digest, and a signature of the whole", signed(bare, true), nil},
	} {
		v, err := rpm.Verify(bytes.NewReader(c.file), keys)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || err != nil && !strings.Contains(err.Error(), "covers only the header") {
			t.Errorf("%s: %+v, %v, want %v", c.name, v, err, c.want)
		}
	}
}

// TestStructureAgainstRPM alters the signature header of signed packages, byte
// by byte and at random, and asks rpm: nothing may be accepted here that it
// refuses. A sample of the mutants, all of them with KUBECRATE_LAB=1.
func TestStructureAgainstRPM(t *testing.T) {
	t.Parallel()
	needTool(t, "rpmkeys")
	needTool(t, "rpm")
	s := newSigner(t, rpmtest.SignerOptions{})
	keys := readKeyring(t, s.ArmoredPublicKey())
	dir := t.TempDir()
	key := filepath.Join(dir, "key.asc")
	if err := os.WriteFile(key, s.ArmoredPublicKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	rpmOf := func(args ...string) (string, error) {
		out, err := exec.Command("rpmkeys", append([]string{"--dbpath", filepath.Join(dir, "db")}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := rpmOf("--import", key); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := build(t, s)
	for _, c := range []struct {
		name    string
		mutants [][]byte
		accept  func([]byte) error
	}{
		{"signature header", mutants(file, 96), func(b []byte) error { return verified(b, keys) }},
		{"signature header with a region", mutants(withRegion(t, file), 96), func(b []byte) error { return verified(b, keys) }},
		{"header", headerMutants(t, file), func(b []byte) error { return verified(b, nil) }},
	} {
		var paths []string
		for i, mutant := range c.mutants {
			if c.accept(mutant) != nil {
				continue
			}
			path := filepath.Join(dir, fmt.Sprintf("%d.rpm", i))
			if err := os.WriteFile(path, mutant, 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		for batch := range slices.Chunk(paths, 200) {
			out, err := rpmOf(append([]string{"--checksig"}, batch...)...)
			if err == nil {
				continue
			}
			for line := range strings.Lines(out) {
				if line = strings.TrimSpace(line); !strings.HasSuffix(line, " OK") && strings.HasPrefix(line, dir) {
					t.Errorf("%s: accepted here: %s", c.name, line)
				}
			}
		}
		t.Logf("%s: %d of %d mutants accepted", c.name, len(paths), len(c.mutants))
		if len(paths) == 0 || len(paths) == len(c.mutants) {
			t.Errorf("%s: %d of %d mutants were accepted: nothing was compared", c.name, len(paths), len(c.mutants))
		}
	}
}

// verified is Verify, or Check without keys.
func verified(b []byte, keys *rpm.Keyring) error {
	var err error
	if keys != nil {
		_, err = rpm.Verify(bytes.NewReader(b), keys)
	} else {
		_, err = rpm.Check(bytes.NewReader(b))
	}
	return err
}

// withRegion gives the signature header a region, as rpm writes it.
func withRegion(t testing.TB, file []byte) []byte {
	t.Helper()
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return assemble(file[:96], headerOf(62, entriesOf(file[96:])...), file[span.Start:span.End], file[span.End:])
}

// headerMutants are mutants of the header itself, unsigned, with digests of
// what they hold.
func headerMutants(t testing.TB, file []byte) [][]byte {
	t.Helper()
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	list := mutants(file, int(span.Start))
	for i, m := range list {
		header := m[span.Start:span.End]
		list[i] = assemble(m[:96], headerOf(62, digestsOf(header)...), header, m[span.End:])
	}
	return list
}

// mutants changes one byte of the header at start; those of the table, which is
// its structure, get several values each.
func mutants(file []byte, start int) [][]byte {
	n := int(binary.BigEndian.Uint32(file[start+8:]))
	size := int(binary.BigEndian.Uint32(file[start+12:]))
	table, end := start+16+16*n, start+16+16*n+size
	random := rand.New(rand.NewPCG(1, 2))
	every := os.Getenv("KUBECRATE_LAB") == "1"
	var out [][]byte
	for at := start; at < end; at++ {
		structure := at < table || at >= end-16
		for _, b := range []byte{0, 1, 3, 6, 8, 9, file[at] ^ 1, file[at] + 1, file[at] - 1, 0xff, byte(random.Uint32())} {
			if b != file[at] && (every || structure && random.IntN(4) == 0 || random.IntN(40) == 0) {
				m := bytes.Clone(file)
				m[at] = b
				out = append(out, m)
			}
		}
	}
	return out
}
