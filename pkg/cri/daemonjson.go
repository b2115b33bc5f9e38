package cri

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// badFile is a file of the operator that cannot be changed safely. line is the line
// of the error, 0 if unknown.
type badFile struct {
	path string
	line int
	says string
}

func (e *badFile) Error() string { return e.says }

// hint is the command that opens the file at the error.
func (e *badFile) hint() string {
	if e.line > 0 {
		return fmt.Sprintf("vi +%d %s", e.line, e.path)
	}
	return "vi " + e.path
}

// object is a JSON object whose text is edited in place, so that key order and
// formatting stay as the operator wrote them.
type object struct {
	text    string
	open    int // offset after the opening brace
	members []jsonMember
}

// jsonMember is a key, and the offsets of its value.
type jsonMember struct {
	key        string
	start, end int
}

// parseObject parses an object. Errors are *badFile without a path.
func parseObject(text string) (object, error) {
	o := object{text: text}
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		at := int64(len(text))
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = syntax.Offset
		}
		line, column := position(text, at)
		return o, &badFile{line: line, says: fmt.Sprintf("invalid JSON: line %d, column %d: %v", line, column, err)}
	}
	d := json.NewDecoder(strings.NewReader(text))
	first, err := d.Token()
	if err == nil && first != json.Delim('{') {
		return o, &badFile{line: 1, says: "not a JSON object: it does not start with a brace"}
	}
	o.open = int(d.InputOffset())
	for err == nil && d.More() {
		var key json.Token
		var value json.RawMessage
		key, err = d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		name, _ := key.(string) // the decoder accepts only string keys
		end := int(d.InputOffset())
		if o.find(name) >= 0 {
			line, _ := position(text, int64(end))
			return o, &badFile{line: line, says: fmt.Sprintf("duplicate key %q in line %d", name, line)}
		}
		o.members = append(o.members, jsonMember{name, end - len(value), end})
	}
	if err != nil {
		return o, &badFile{says: err.Error()}
	}
	return o, nil
}

// position returns the 1-based line and column of the byte before offset.
func position(text string, offset int64) (line, column int) {
	before := text[:min(max(offset-1, 0), int64(len(text)))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}

func (o object) find(key string) int {
	return slices.IndexFunc(o.members, func(m jsonMember) bool { return m.key == key })
}

// get decodes the value of key into v, which is unchanged if the key is missing.
func (o object) get(key string, v any) error {
	i := o.find(key)
	if i < 0 {
		return nil
	}
	m := o.members[i]
	if err := json.Unmarshal([]byte(o.text[m.start:m.end]), v); err != nil {
		line, _ := position(o.text, int64(m.start)+1)
		return &badFile{line: line, says: fmt.Sprintf("invalid value of %q in line %d: %v", key, line, err)}
	}
	return nil
}

// set replaces the value of key, or appends it, indented like the first key.
func (o object) set(key, value string) (object, error) {
	if i := o.find(key); i >= 0 {
		m := o.members[i]
		return parseObject(o.text[:m.start] + value + o.text[m.end:])
	}
	added := quote(key) + ": " + value
	if len(o.members) == 0 {
		end := o.open + strings.IndexByte(o.text[o.open:], '}')
		return parseObject(o.text[:o.open] + "\n  " + added + "\n" + o.text[end:])
	}
	space := o.text[o.open : o.open+strings.IndexByte(o.text[o.open:], '"')]
	if i := strings.LastIndexByte(space, '\n'); i < 0 {
		space = " "
	} else {
		space = space[strings.LastIndexByte(space[:i], '\n')+1:] // one line break
	}
	end := o.members[len(o.members)-1].end
	return parseObject(o.text[:end] + "," + space + added + o.text[end:])
}

// quote returns a string as JSON, with <, > and & unescaped.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.TrimSpace(b.String())
}

// quoteAll returns a list of strings as JSON, which is also valid TOML.
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// cgroupOption is the exec-opt that selects the cgroup driver (dockerd reference,
// "Options for the runtime").
const cgroupOption = "native.cgroupdriver"

// driverOf returns the cgroup driver of an exec-opt, which docker parses
// case-insensitively.
func driverOf(option string) (driver string, ok bool) {
	key, value, _ := strings.Cut(option, "=")
	return strings.TrimSpace(value), strings.EqualFold(strings.TrimSpace(key), cgroupOption)
}

// withSystemd returns a daemon.json with the systemd cgroup driver. If that needs a
// change, the size of logs is also limited, as in kubeadm's guide, unless logging is
// already configured; given are dockerd's command-line options.
func withSystemd(text string, given []flag) (string, error) {
	if strings.TrimSpace(text) == "" {
		text = "{}\n"
	}
	o, err := parseObject(text)
	if err != nil {
		return "", err
	}
	var options []string
	if err := o.get("exec-opts", &options); err != nil {
		return "", err
	}
	changed, there := setDriver(options)
	if there {
		return text, nil
	}
	if o, err = o.set("exec-opts", quoteAll(changed)); err != nil {
		return "", err
	}
	logs := slices.ContainsFunc(given, func(f flag) bool { return f.name == "log-driver" || f.name == "log-opt" })
	if logs || o.find("log-driver") >= 0 || o.find("log-opts") >= 0 {
		return o.text, nil
	}
	if o, err = o.set("log-driver", `"json-file"`); err != nil {
		return "", err
	}
	o, err = o.set("log-opts", `{"max-size": "100m"}`)
	return o.text, err
}

// setDriver returns the options with the cgroup driver replaced by systemd, and
// whether it was already set: docker uses the first one.
func setDriver(options []string) (changed []string, there bool) {
	const wanted = cgroupOption + "=systemd"
	done := false
	for _, option := range options {
		driver, ok := driverOf(option)
		switch {
		case !ok:
			changed = append(changed, option)
		case !done:
			done, there = true, driver == "systemd"
			changed = append(changed, wanted)
		}
	}
	if !done {
		changed = append(changed, wanted)
	}
	return changed, there
}
