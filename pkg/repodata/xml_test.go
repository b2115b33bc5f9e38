package repodata

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// event is a token as both parsers see it.
type event struct {
	kind  token
	name  string
	attrs string
	text  string
}

func fullName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// addText merges adjacent text, which parsers may cut where they like.
func addText(events []event, text string) []event {
	if n := len(events); n > 0 && events[n-1].kind == tokenText {
		events[n-1].text += text
		return events
	}
	return append(events, event{kind: tokenText, text: text})
}

// libraryEvents reads doc with encoding/xml, as far as that goes.
func libraryEvents(doc []byte) ([]event, error) {
	var events []event
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))))
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "us-ascii") {
			return r, nil
		}
		return nil, fmt.Errorf("charset %s", label)
	}
	var stack []string
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return events, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			var b strings.Builder
			for _, a := range tok.Attr {
				fmt.Fprintf(&b, "%s=%q ", fullName(a.Name), a.Value)
			}
			events = append(events, event{kind: tokenStart, name: fullName(tok.Name), attrs: b.String()})
			stack = append(stack, fullName(tok.Name))
		case xml.EndElement:
			events = append(events, event{kind: tokenEnd, name: fullName(tok.Name)})
			if len(stack) == 0 || stack[len(stack)-1] != fullName(tok.Name) {
				return events, errors.New("tags do not match")
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				events = addText(events, string(tok))
			}
		}
	}
}

func scannerEvents(r io.Reader) ([]event, error) {
	var events []event
	s := newScanner(r)
	full := func() string { return fullName(xml.Name{Space: string(s.prefix), Local: string(s.local)}) }
	for {
		tok, err := s.next()
		if err != nil {
			return events, err
		}
		switch tok {
		case tokenEOF:
			return events, nil
		case tokenStart:
			var b strings.Builder
			for _, a := range s.attrs {
				fmt.Fprintf(&b, "%s=%q ", a.name, a.value)
			}
			events = append(events, event{kind: tok, name: full(), attrs: b.String()})
		case tokenEnd:
			events = append(events, event{kind: tok, name: full()})
		case tokenText:
			events = addText(events, string(s.text))
		}
	}
}

// dropEmpty removes texts without content: one parser reports an empty CDATA
// section, the other does not.
func dropEmpty(events []event) []event {
	var out []event
	for _, e := range events {
		if e.kind != tokenText || e.text != "" {
			out = append(out, e)
		}
	}
	return out
}

func sameEvents(t *testing.T, got, want []event) {
	t.Helper()
	got, want = dropEmpty(got), dropEmpty(want)
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("token %d is %+v, encoding/xml has %+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d tokens, encoding/xml has %d", len(got), len(want))
	}
}

// TestScannerAgainstLibrary reads all real metadata with both parsers.
func TestScannerAgainstLibrary(t *testing.T) {
	for name, doc := range documents(t) {
		want, err := libraryEvents(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := scannerEvents(bytes.NewReader(doc))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameEvents(t, got, want)
	}
}

func TestScannerAccepts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200<<10)
	for _, doc := range []string{
		`<a/>`,
		`<a></a>`,
		"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a/>\n",
		`<?xml version='1.0' encoding='US-ASCII' standalone="yes"?><a b='"' c="'>" />`,
		`<!-- x --><a><!----><b>1<!-- - > -->2</b><?pi some > thing?></a><!-- y -->` + "\n",
		`<a b="&lt;&#65;&#x42;&amp;&quot;&apos;&gt;">&lt;&#65;&#x42;&amp;&quot;&apos;&gt;</a>`,
		"<a>1\r\n2\r3\n</a>",
		`<a><![CDATA[<&]>]] >]]>x<![CDATA[]]></a>`,
		`<a xmlns:rpm="u"><rpm:b rpm:c="d"/></a >`,
		"<a\n b\t=\r\"c\"\n/>",
		`<a>zażółć 漢字 ` + "\U0001F600" + `</a>`,
		`<a b="` + long + `">` + long + `</a>`,
		`<a x="1"y="2"/>`,
	} {
		want, err := libraryEvents([]byte(doc))
		if err != nil {
			t.Fatalf("%.60s: encoding/xml: %v", doc, err)
		}
		for _, r := range []io.Reader{strings.NewReader(doc), iotest.OneByteReader(strings.NewReader(doc)), iotest.DataErrReader(strings.NewReader(doc))} {
			got, err := scannerEvents(r)
			if err != nil {
				t.Fatalf("%.60s: %v", doc, err)
			}
			sameEvents(t, got, want)
		}
	}
}

func TestScannerRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ doc, want string }{
		{``, "unexpected EOF"},
		{` `, "unexpected EOF"},
		{`<a>`, "unexpected EOF"},
		{`<a`, "unexpected EOF"},
		{`<a b="`, "unexpected EOF"},
		{`<a><!-- `, "unexpected EOF"},
		{`<a><![CDATA[`, "unexpected EOF"},
		{`<a>text`, "unexpected EOF"},
		{`x<a/>`, "outside of the root"},
		{`<a/>x`, "outside of the root"},
		{`<a/><b/>`, "second root"},
		{`<a></b>`, "<a> is closed by </b>"},
		{`</a>`, "without a start tag"},
		{`<a></a b>`, "more than a name"},
		{`< a/>`, "without a name"},
		{`<a b/>`, "without a value"},
		{`<a b=c/>`, "without quotes"},
		{`<a b="1" b="2"/>`, "duplicate attribute b"},
		{`<a b="<"/>`, "< within an attribute"},
		{`<a b="&foo;"/>`, "not declared"},
		{`<a>&foo;</a>`, "not declared"},
		{`<a>& </a>`, "without a reference"},
		{`<a>&#0;</a>`, "is not a character"},
		{`<a>&#xFFFFFFFFF;</a>`, "is not a character"},
		{`<a>` + "\x01" + `</a>`, "U+0001"},
		{`<a>` + "\xff" + `</a>`, "not UTF-8"},
		{`<a>]]></a>`, "]]> within text"},
		{`<a><!-- -- --></a>`, "within a comment"},
		{`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "document type"},
		{`<rpm:a/>`, "prefix rpm is not declared"},
		{`<a xmlns:="u"/>`, "namespace without a name"},
		{`<a:b:c xmlns:a="u"/>`, "misplaced colon"},
		{`<a xmlns:b:c="u"/>`, "attribute xmlns:b:c: a name with a misplaced colon"},
		{`<a/><?xml version="1.0"?>`, "not at the start"},
		{`<?xml version="1.1"?><a/>`, "only 1.0"},
		{`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, "only UTF-8"},
		{`<? x?><a/>`, "without a name"},
		{strings.Repeat("<a>", maxDepth+1), "nested deeper"},
		{`<a>` + strings.Repeat("x", maxToken+1) + `</a>`, "longer than"},
		{`<a b="` + strings.Repeat("x", maxToken+1) + `"/>`, "longer than"},
	} {
		_, err := scannerEvents(strings.NewReader(test.doc))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: error %v, want one with %q", test.doc, err, test.want)
		}
	}
}

func TestScannerReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken wire")
	for _, doc := range []string{"", "<", "<a>", "<a>text", "<a/>"} {
		r := io.MultiReader(strings.NewReader(doc), iotest.ErrReader(broken))
		if _, err := scannerEvents(r); !errors.Is(err, broken) {
			t.Errorf("%q: error %v", doc, err)
		}
	}
}

// FuzzScanner: what the scanner accepts, encoding/xml accepts and reads alike.
func FuzzScanner(f *testing.F) {
	for _, doc := range []string{
		`<a b="c">d<e/><!-- f --><![CDATA[g]]>&lt;</a>`,
		`<?xml version="1.0" encoding="UTF-8"?><m xmlns:rpm="u" n='1'><rpm:x>&#10;</rpm:x></m>`,
		"<a>\r\n]]&gt;</a>", `<a x="1"y="2"/>`, "\xef\xbb\xbf<a/>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got []event
		var err error
		bounded(t, doc, func() { got, err = scannerEvents(bytes.NewReader(doc)) })
		if err != nil {
			return
		}
		want, err := libraryEvents(doc)
		if err != nil {
			t.Fatalf("accepted, but encoding/xml says %v", err)
		}
		sameEvents(t, got, want)
		again, err := scannerEvents(iotest.OneByteReader(bytes.NewReader(doc)))
		if err != nil {
			t.Fatalf("read byte by byte: %v", err)
		}
		sameEvents(t, again, got)
	})
}
