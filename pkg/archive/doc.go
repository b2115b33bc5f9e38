// Package archive writes and reads kubecrate archives, format version 1: a tar
// stream in zstd frames, with an index in front and a seek table behind. Stock
// tar and zstd unpack it; a Reader serves it as an fs.FS and decodes only the
// frames that a member needs.
//
//	p := archive.NewPacker(archive.Default)
//	p.Pack(ctx, cache, layer)                    // frames of a large member, kept in a cache
//	archive.WriteFile(ctx, path, options, entries) // copies them, compresses the rest
//
//	r, closer, err := archive.OpenPath(path)     // one file or volumes
//	r.Verify(ctx, nil, nil)                      // every byte; names the damaged member
//	r.Each(ctx, want, use)                       // one pass, each frame decoded once
//
// Frames, seek table and tar headers are written by hand, over a library's zstd:
// a frame has to begin where a reader wants to begin, which writers of seekable
// zstd do not guarantee, and equal members have to produce equal bytes with every
// release, which archive/tar does not promise.
//
// # Format version 1
//
// What follows is enough to write another reader. All integers are
// little-endian. CRC-32C is the Castagnoli polynomial (RFC 3720, B.4). A
// "frame" is a zstd frame (RFC 8878); sizes and offsets are in bytes.
//
//	file      = frame...  checksums  seek-table
//	frames    = a tar stream, when decompressed and put together
//	tar       = header(index.json) index.json  { header content padding }...  1024 zero bytes
//
// # The tar stream
//
// Every member is a regular file with one header block of 512 bytes in the
// ustar format (POSIX.1-1988). All its fields but these are zero bytes:
//
//	  0  name      the path, or what follows the / where prefix ends
//	100  mode      "0000644\0", "0000755\0" for members of kind binary
//	108  uid, gid  "0000000\0" each
//	124  size      eleven octal digits and a zero byte
//	136  mtime     "02263523000\0" (1980-01-01T00:00:00Z)
//	148  checksum  six octal digits, a zero byte and a space
//	156  typeflag  '0'
//	257  magic     "ustar\0" "00"
//	329  devmajor, devminor  "0000000\0" each
//	345  prefix    of a path over 100 bytes: up to the first / after which at
//	               most 100 bytes follow, if it has at most 155 bytes itself
//
// A path that does not fit so, or is not ASCII from space to tilde, and a size
// of 8 GiB or more, stand in a pax extended header (POSIX.1-2001) in front:
// a header block of typeflag 'x', name "pax" and mode 0644 whose content are the
// records "LENGTH path=PATH\n" and "LENGTH size=SIZE\n", as needed and in this
// order, padded with zeros to whole blocks. The header block behind it then has
// size 0 if the size stands there, and as name the last 100 bytes of the path,
// every character that is not ASCII replaced by _.
//
// Content is padded with zeros to whole blocks of 512 bytes. Members follow each
// other without gaps, so every offset follows from the sizes and paths before
// it. There are no directories, links or other kinds of entries.
//
// # The index
//
// index.json is the first member, and its header and content alone are the first
// frame. It is JSON, UTF-8, padded with spaces before its last newline to whole
// blocks, so it has no tar padding:
//
//	{"version":1, "name":"...", "platform":{"family":"el7","arch":"amd64"},
//	 "level":"default", "members":[
//	 {"path":"bundle.yaml", "size":1234, "sha256":"64 hex digits", "kind":"meta",
//	  "roles":["master"], "offset":98816}, ...]}
//
// members lists all members but index.json, in the order of the tar stream.
// offset is where the content starts in the tar stream. roles is absent where
// every role needs the member. A reader refuses another version, and ignores
// keys that it does not know; one that calls an archive whole accepts none, and
// each of these once and spelled like this. The key base is kept for archives that complete
// another one; a reader that cannot do that refuses an archive that has it.
// Paths are relative and slash-separated, without empty, "." and ".." elements,
// control characters and backslashes; no path is listed twice, or is a directory
// of another.
//
// Limits: 8 MiB of text, 16384 members, 1024 bytes a path, 255 bytes an element
// of it, 4 TiB a member.
//
// # Frames
//
// Every frame says the size of its content in its header, carries the content's
// checksum, and uses no dictionary. A frame of up to 16 MiB of content may be of
// a single segment; a larger one has a window of at most 128 MiB, which zstd
// decompresses without a flag, and at most 1 GiB of content. No block but the last
// of a frame is empty. Nothing stands before, between or within the frames. At the levels
// fast, default and better, a member of 64 KiB or more has frames of its own, 8
// MiB of content each (16 MiB at better), from its first byte of content to its
// last byte of padding: they depend on nothing but the content, the level and
// the encoder. Smaller members and all headers share frames of up to 1 MiB. At
// level best, the members of a group stand together, with their headers, in
// frames of up to 1 GiB. A reader needs none of this: it may rely on the first
// frame only.
//
// # Checksums and seek table
//
// Behind the frames stands a skippable frame with the magic number 0x184D2A5B:
//
//	"KCCHECKS"
//	uint32    number of frames, n
//	n uint32  CRC-32C of each frame as it stands in the file
//	uint32    CRC-32C of the seek table, its skippable header included
//	uint32    CRC-32C of all of the content above
//
// The file ends with the seek table of zstd's seekable format (version 0.1.0 of
// contrib/seekable_format), in a skippable frame with the magic number
// 0x184D2A5E: for every frame, and for the frame of the checksums, its size in
// the file (uint32), the size of its content (uint32), and the lower half of the
// content's XXH64 (uint32; the same that ends a zstd frame); then the number of
// entries (uint32), the byte 0x80, and 0x8F92EAB1 (uint32). The last entry, that
// of the checksums, has no content, and 0x51D8E999 as its XXH64. The sizes in
// the file add up to where the seek table starts, those of the contents to the
// length of the tar stream. Every other entry is exactly one frame.
//
// # Packed files
//
// What Packer.Pack writes is for a cache, and not part of an archive: the
// frames of one member, then a skippable frame with the magic number 0x184D2A5A:
//
//	n times   size in the file, size of the content, lower half of XXH64,
//	          CRC-32C of the frame in the file: uint32 each
//	uint64    size of the member, without padding
//	32 bytes  its SHA-256
//	uint32    n
//	uint32    CRC-32C of all of the content above
//	"KCPACKED"
//
// # Files
//
// An archive may be cut into volumes NAME.001, NAME.002 and so on, up to 999, of
// one size but for the last, which is not empty; put together they are the archive.
// Beside it stand the installer, a member of it, as install-linux-ARCH and as
// install, and NAME.sha256 in the format of sha256sum, a line for every file of the
// archive and for the installers. With volumes, a first line that starts with # has
// the hash of the whole.
//
// # Signatures
//
// A signed archive has these beside it. FILE is NAME, or each of its volumes:
//
//	NAME.index.minisig  minisign's signature of the content of index.json
//	FILE.minisig        minisign's signature of the file, an installer too
//	FILE.sig            ECDSA P-256 over the file's SHA-256, ASN.1 DER
//	NAME.pub            the public key of the first two, as minisign writes it
//	NAME.pem            that of the third, SubjectPublicKeyInfo in PEM
//
// Signatures of minisign are of its prehashed sort (ED: Ed25519 over BLAKE2b).
// The one of index.json is what a reader checks, before it believes anything
// else of the archive: the index has the hash of every member. Those of the
// files are for stock tools: minisign -V -p NAME.pub -m FILE, and openssl dgst
// -sha256 -verify NAME.pem -signature FILE.sig FILE. The keys beside the archive
// prove nothing until they are compared with a trusted copy. The trusted
// comment of NAME.index.minisig has, behind "openssl-key-sha256:", the SHA-256 of
// NAME.pem's DER as 64 hex digits.
package archive
