package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var update = flag.Bool("update", false, "rewrite docs/FORMAT.md")

// TestFormatDocument holds docs/FORMAT.md to what doc.go says.
func TestFormatDocument(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var p comment.Parser
	printer := comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}
	doc := p.Parse(file.Doc.Text())
	for i, block := range doc.Content {
		if h, ok := block.(*comment.Heading); ok && len(h.Text) > 0 {
			doc.Content = doc.Content[i+1:]
			break
		}
	}
	want := append([]byte("# kubecrate archives, format version 1\n\n"), printer.Markdown(doc)...)
	name := filepath.Join("..", "..", "docs", "FORMAT.md")
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/FORMAT.md is not what doc.go says; go test ./pkg/archive -run FormatDocument -update writes it: %v", err)
	}
}

// TestFormat reads an archive with nothing but what doc.go says.
func TestFormat(t *testing.T) {
	t.Parallel()
	u32 := binary.LittleEndian.Uint32
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, l := range levels() {
		entries := sample(1)
		data := create(t, l, entries)
		end := len(data)
		if u32(data[end-4:]) != 0x8F92EAB1 || data[end-5] != 0x80 {
			t.Fatalf("the file ends in % x", data[end-9:])
		}
		n := int(u32(data[end-9:]))
		seek := data[end-9-12*n-8:]
		if u32(seek) != 0x184D2A5E || int(u32(seek[4:])) != 12*n+9 {
			t.Fatalf("seek table of %d entries starts with % x", n, seek[:8])
		}
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			t.Fatal(err)
		}
		var tar []byte
		var sums []uint32
		at := 0
		for i := range n {
			entry := seek[8+12*i:]
			compressed, decompressed, xxh := data[at:at+int(u32(entry))], int(u32(entry[4:])), u32(entry[8:])
			at += len(compressed)
			if i == n-1 {
				checkChecks(t, compressed, seek, sums, decompressed, xxh)
				break
			}
			content, err := d.DecodeAll(compressed, nil)
			if err != nil || len(content) != decompressed || u32(compressed[len(compressed)-4:]) != xxh {
				t.Fatalf("frame %d: %d bytes, %v", i, len(content), err)
			}
			sums = append(sums, crc32.Checksum(compressed, table))
			tar = append(tar, content...)
			if i == 0 && (len(content)%512 != 0 || content[len(content)-1] != '\n') {
				t.Errorf("the first frame has %d bytes", len(content))
			}
		}
		if at+len(seek) != end {
			t.Errorf("frames end at %d, the seek table starts at %d", at, end-len(seek))
		}
		checkTar(t, tar, entries)
	}
}

func checkChecks(t *testing.T, b, seek []byte, sums []uint32, decompressed int, xxh uint32) {
	t.Helper()
	table := crc32.MakeTable(crc32.Castagnoli)
	want := binary.LittleEndian.AppendUint32(nil, 0x184D2A5B)
	want = binary.LittleEndian.AppendUint32(want, uint32(len(b)-8))
	want = append(want, "KCCHECKS"...)
	want = binary.LittleEndian.AppendUint32(want, uint32(len(sums)))
	for _, s := range sums {
		want = binary.LittleEndian.AppendUint32(want, s)
	}
	want = binary.LittleEndian.AppendUint32(want, crc32.Checksum(seek, table))
	want = binary.LittleEndian.AppendUint32(want, crc32.Checksum(want[8:], table))
	if !bytes.Equal(b, want) || decompressed != 0 || xxh != 0x51D8E999 {
		t.Errorf("checksums are % x, want % x", b, want)
	}
}

func checkTar(t *testing.T, tar []byte, entries []Entry) {
	t.Helper()
	const head = "index.json"
	if string(tar[:len(head)+1]) != head+"\x00" || string(tar[100:124]) != "0000644\x000000000\x000000000\x00" ||
		string(tar[136:148]) != "02263523000\x00" || string(tar[156:157]) != "0" || string(tar[257:265]) != "ustar\x0000" ||
		string(tar[329:345]) != "0000000\x000000000\x00" {
		t.Errorf("the header of index.json is %q", tar[:512])
	}
	var size int
	if _, err := fmt.Sscanf(string(tar[124:135]), "%o", &size); err != nil {
		t.Fatal(err)
	}
	var index struct {
		Version int
		Name    string
		Members []struct {
			Path, SHA256, Kind string
			Roles              []string
			Size, Offset       int
		}
	}
	if err := json.Unmarshal(tar[512:512+size], &index); err != nil {
		t.Fatal(err)
	}
	if index.Version != 1 || index.Name != "test" || len(index.Members) != len(entries) {
		t.Errorf("the index is %+v", index)
	}
	end := 512 + size
	for _, m := range index.Members {
		sum := sha256.Sum256(tar[m.Offset : m.Offset+m.Size])
		if hex.EncodeToString(sum[:]) != m.SHA256 || m.Offset <= end {
			t.Errorf("%+v", m)
		}
		end = (m.Offset + m.Size + 511) &^ 511
	}
	if len(tar) != end+1024 || !bytes.Equal(tar[end:], make([]byte, 1024)) {
		t.Errorf("behind the last member stand %d bytes", len(tar)-end)
	}
}
