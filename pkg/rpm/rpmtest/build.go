// Package rpmtest builds small, valid RPM packages in memory, signed or not:
// real doubles for tests and the packages of `bundle demo`. What it writes is
// accepted by rpm 4.11 (EL7) and later: header signature, header+payload
// signature, the old digests and the new ones.
package rpmtest

import (
	"bytes"
	"crypto/md5"  // tag SIGMD5 of the format, which EL7's rpm wants
	"crypto/sha1" // tag SHA1HEADER of the format, which EL7's rpm wants
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/rpmpack"

	"kubecrate/pkg/nevra"
)

// Spec is what a package is to contain. Name and Version are needed; Release
// is "1" and Arch "noarch" when empty, an empty Epoch writes no epoch at all.
// Every package provides NAME = EVR beside Provides.
type Spec struct {
	Name, Epoch, Version, Release, Arch, Summary string

	Provides, Requires, Conflicts, Obsoletes    []nevra.Relation
	Recommends, Suggests, Supplements, Enhances []nevra.Relation

	// Files maps absolute paths to contents. A path that ends in "/" is a
	// directory; what lies in a directory named bin or sbin is executable.
	Files map[string][]byte
	// Payload adds /usr/share/NAME/payload.bin of so many bytes that do not
	// compress; the same Spec always gives the same bytes.
	Payload int
}

// NEVRA is the name the built package will have.
func (s Spec) NEVRA() nevra.NEVRA {
	s = s.withDefaults()
	return nevra.NEVRA{Name: s.Name, EVR: s.evr(), Arch: s.Arch}
}

func (s Spec) withDefaults() Spec {
	if s.Release == "" {
		s.Release = "1"
	}
	if s.Arch == "" {
		s.Arch = "noarch"
	}
	if s.Summary == "" {
		s.Summary = "Test package " + s.Name
	}
	return s
}

func (s Spec) evr() nevra.EVR {
	return nevra.EVR{Epoch: s.Epoch, Version: s.Version, Release: s.Release}
}

// BuildTime is the build time of every package, 2020-03-12 00:00:00 UTC, so
// that the same Spec gives the same bytes.
func BuildTime() time.Time { return time.Unix(1583971200, 0).UTC() }

// Build writes the package; a nil signer leaves it unsigned. The output
// depends on spec and signer alone: the same two give the same bytes.
func Build(spec Spec, signer *Signer) ([]byte, error) {
	spec = spec.withDefaults()
	if spec.Name == "" || spec.Version == "" {
		return nil, fmt.Errorf("cannot build package %q: it needs a name and a version", spec.Name)
	}
	unsigned, err := spec.write()
	if err != nil {
		return nil, fmt.Errorf("cannot build package %s: %w", spec.NEVRA(), err)
	}
	parts, err := split(unsigned)
	if err != nil {
		return nil, fmt.Errorf("cannot build package %s: %w", spec.NEVRA(), err)
	}
	out, err := parts.sign(signer)
	if err != nil {
		return nil, fmt.Errorf("cannot sign package %s: %w", spec.NEVRA(), err)
	}
	return out, nil
}

func (s Spec) write() ([]byte, error) {
	meta := rpmpack.RPMMetaData{
		Name: s.Name, Version: s.Version, Release: s.Release, Arch: s.Arch, Epoch: rpmpack.NoEpoch,
		Summary: s.Summary, Description: s.Summary + ".", Vendor: "kubecrate",
		Licence: "Apache-2.0",
		Group:   "Unspecified", BuildHost: "localhost", BuildTime: BuildTime(), Compressor: "gzip:1",
	}
	if s.Epoch != "" {
		epoch, err := strconv.ParseUint(s.Epoch, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("epoch %q is not a number", s.Epoch)
		}
		meta.Epoch = uint32(epoch)
	}
	r, err := rpmpack.NewRPM(meta)
	if err != nil {
		return nil, err
	}
	self := nevra.Relation{Name: s.Name, Op: nevra.EQ, EVR: s.evr()}
	r.Provides = relations(append([]nevra.Relation{self}, s.Provides...))
	r.Requires = relations(s.Requires)
	r.Conflicts = relations(s.Conflicts)
	r.Obsoletes = relations(s.Obsoletes)
	r.Recommends = relations(s.Recommends)
	r.Suggests = relations(s.Suggests)
	addRelations(r, 5052, s.Supplements) // RPMTAG_SUPPLEMENTNAME and the two after it
	addRelations(r, 5055, s.Enhances)    // RPMTAG_ENHANCENAME and the two after it
	for _, f := range s.files() {
		r.AddFile(f)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (s Spec) files() []rpmpack.RPMFile {
	contents := make(map[string][]byte, len(s.Files)+1)
	for name, body := range s.Files {
		contents[name] = body
	}
	if s.Payload > 0 {
		contents["/usr/share/"+s.Name+"/payload.bin"] = noise(s.Name, s.Payload)
	}
	files := make([]rpmpack.RPMFile, 0, len(contents))
	for name, body := range contents {
		f := rpmpack.RPMFile{
			Name: name, Body: body, Mode: 0o644, Owner: "root", Group: "root",
			MTime: u32(int(BuildTime().Unix())),
		}
		switch {
		case strings.HasSuffix(name, "/"):
			f.Name, f.Body, f.Mode = strings.TrimSuffix(name, "/"), nil, 0o40755
		case strings.HasSuffix(path.Dir(name), "bin"):
			f.Mode = 0o755
		}
		files = append(files, f)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files
}

// noise is n bytes that do not compress, the same for the same name.
func noise(name string, n int) []byte {
	source := rand.NewChaCha8(sha256.Sum256([]byte(name)))
	body := make([]byte, (n+7)/8*8)
	for i := 0; i < len(body); i += 8 {
		binary.LittleEndian.PutUint64(body[i:], source.Uint64())
	}
	return body[:n]
}

// Flags of a dependency; source: rpm, include/rpm/rpmds.h, rpmsenseFlags.
const (
	senseLess    = 1 << 1
	senseGreater = 1 << 2
	senseEqual   = 1 << 3
	sensePre     = 1 << 9
)

func senseOf(r nevra.Relation) uint32 {
	var sense uint32
	if r.Op&nevra.LT != 0 {
		sense |= senseLess
	}
	if r.Op&nevra.GT != 0 {
		sense |= senseGreater
	}
	if r.Op&nevra.EQ != 0 {
		sense |= senseEqual
	}
	if r.Pre {
		sense |= sensePre
	}
	return sense
}

// evrText keeps an epoch of 0 where one was asked for, as rpmbuild does.
func evrText(r nevra.Relation) string {
	if r.Op == nevra.Any {
		return ""
	}
	if text := r.EVR.String(); r.EVR.Epoch != "0" {
		return text
	}
	return "0:" + r.EVR.String()
}

func relations(list []nevra.Relation) rpmpack.Relations {
	out := make(rpmpack.Relations, 0, len(list))
	for _, r := range list {
		// The type of a sense is not exported: it is inferred from a Relation.
		rel := &rpmpack.Relation{Name: r.Name, Version: evrText(r)}
		setSense(&rel.Sense, senseOf(r))
		out = append(out, rel)
	}
	return out
}

func setSense[T ~uint32](dst *T, sense uint32) { *dst = T(sense) }

// addRelations writes a kind of relation that rpmpack has no field for: the
// names under tag, versions and flags under the two tags that follow.
func addRelations(r *rpmpack.RPM, tag int, list []nevra.Relation) {
	if len(list) == 0 {
		return
	}
	var names, versions []string
	var flags []uint32
	for _, rel := range list {
		names, versions, flags = append(names, rel.Name), append(versions, evrText(rel)), append(flags, senseOf(rel))
	}
	r.AddCustomTag(tag, rpmpack.EntryStringSlice(names))
	r.AddCustomTag(tag+1, rpmpack.EntryStringSlice(versions))
	r.AddCustomTag(tag+2, rpmpack.EntryUint32(flags))
}

// parts are the four regions of a package file.
type parts struct {
	lead, header, payload []byte
	payloadSize           uint32 // bytes of the uncompressed payload
}

const leadSize = 96

// split cuts up what rpmpack wrote; it is not a parser for foreign files.
func split(file []byte) (parts, error) {
	if len(file) < leadSize+16 {
		return parts{}, fmt.Errorf("package has only %d bytes", len(file))
	}
	sigEnd := leadSize + headerSize(file[leadSize:])
	payloadSize := uint32(0)
	for i := leadSize + 16; i+16 <= sigEnd; i += 16 {
		if binary.BigEndian.Uint32(file[i:]) == tagPayloadSize {
			store := leadSize + 16 + 16*int(binary.BigEndian.Uint32(file[leadSize+8:]))
			payloadSize = binary.BigEndian.Uint32(file[store+int(binary.BigEndian.Uint32(file[i+8:])):])
			break
		}
	}
	start := (sigEnd + 7) / 8 * 8
	if start+16 > len(file) {
		return parts{}, fmt.Errorf("package ends in its signature")
	}
	end := start + headerSize(file[start:])
	if end > len(file) {
		return parts{}, fmt.Errorf("package ends in its header")
	}
	return parts{lead: file[:leadSize], header: file[start:end], payload: file[end:], payloadSize: payloadSize}, nil
}

func headerSize(b []byte) int {
	return 16 + 16*int(binary.BigEndian.Uint32(b[8:])) + int(binary.BigEndian.Uint32(b[12:]))
}

// Tags of the signature header; source: rpm, include/rpm/rpmtag.h.
const (
	tagDSAHeader    = 267
	tagRSAHeader    = 268
	tagSHA1Header   = 269
	tagSHA256Header = 273
	tagSize         = 1000
	tagPGP          = 1002
	tagMD5          = 1004
	tagGPG          = 1005
	tagPayloadSize  = 1007
)

// sign puts the file together with a signature header that satisfies rpm of
// every age: digests of the header and of header and payload, and, with a
// signer, a signature over each.
func (p parts) sign(signer *Signer) ([]byte, error) {
	sha1Sum, sha256Sum := sha1.Sum(p.header), sha256.Sum256(p.header)
	whole := md5.New()
	whole.Write(p.header)
	whole.Write(p.payload)
	store := sigStore{}
	if signer != nil {
		head, err := signer.Sign(p.header)
		if err != nil {
			return nil, err
		}
		body, err := signer.Sign(p.header, p.payload)
		if err != nil {
			return nil, err
		}
		headTag, bodyTag := uint32(tagRSAHeader), uint32(tagPGP)
		if !signer.rsa() {
			headTag, bodyTag = tagDSAHeader, tagGPG
		}
		store.add(headTag, typeBin, len(head), head)
		store.add(bodyTag, typeBin, len(body), body)
	}
	store.add(tagSHA1Header, typeString, 1, append([]byte(hex.EncodeToString(sha1Sum[:])), 0))
	store.add(tagSHA256Header, typeString, 1, append([]byte(hex.EncodeToString(sha256Sum[:])), 0))
	store.add(tagSize, typeInt32, 1, binary.BigEndian.AppendUint32(nil, u32(len(p.header)+len(p.payload))))
	store.add(tagMD5, typeBin, md5.Size, whole.Sum(nil))
	store.add(tagPayloadSize, typeInt32, 1, binary.BigEndian.AppendUint32(nil, p.payloadSize))
	return bytes.Join([][]byte{p.lead, store.bytes(), p.header, p.payload}, nil), nil
}
