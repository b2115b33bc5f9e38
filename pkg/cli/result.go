package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// jsonError is the last line of a command that failed.
type jsonError struct {
	Kind string `json:"kind"`
	Time string `json:"time"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
	Code int    `json:"code"`
}

// kindOf returns the kind of a command's result: its name after those of its parent
// commands; run for the program itself.
func kindOf(cmd *cobra.Command) string {
	var words []string
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		words = append([]string{cmd.Name()}, words...)
	}
	if len(words) == 0 {
		return "run"
	}
	return strings.Join(words, "-")
}

func stamp(now time.Time) string { return now.UTC().Format(time.RFC3339) }

// result returns v as one line of JSON: an object that starts with kind and time.
// Null members are omitted, and a list becomes the items of an object. A document with
// its own kind, such as this project's files, stays unchanged.
func result(kind string, now time.Time, v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	fields, err := members(text.Bytes())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(fields, func(m member) bool { return m.name == "kind" }) {
		return text.Bytes(), nil
	}
	head := []member{{"kind", quote(kind)}, {"time", quote(stamp(now))}}
	var line bytes.Buffer
	for i, f := range append(head, fields...) {
		sign := byte(',')
		if i == 0 {
			sign = '{'
		}
		line.WriteByte(sign)
		line.Write(quote(f.name))
		line.WriteByte(':')
		line.Write(f.value)
	}
	line.WriteString("}\n")
	return line.Bytes(), nil
}

type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of an object, in order, without null ones.
func members(text []byte) ([]member, error) {
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("[")) {
		return []member{{"items", text}}, nil
	}
	if bytes.Equal(text, []byte("null")) {
		return []member{{"items", json.RawMessage("[]")}}, nil
	}
	if !bytes.HasPrefix(text, []byte("{")) {
		return []member{{"value", text}}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var list []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if !bytes.Equal(value, []byte("null")) {
			list = append(list, member{fmt.Sprint(name), value})
		}
	}
	return list, nil
}

// quote returns s as JSON.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // encoding a string to a Buffer cannot fail
	return bytes.TrimSpace(b.Bytes())
}
