package cri

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// badFile is a file of the operator that cannot be changed safely. Line is that
// of the fault, 0 where there is none to point at.
type badFile struct {
	path string
	line int
	says string
}

func (e *badFile) Error() string { return e.says }

// hint is how a person goes about it.
func (e *badFile) hint() string {
	if e.line > 0 {
		return fmt.Sprintf("vi +%d %s", e.line, e.path)
	}
	return "vi " + e.path
}

// object is a JSON object whose text is changed in place, so that the order of
// its keys and everything else about it stays as a person wrote it.
type object struct {
	text    string
	open    int // just behind the brace
	members []jsonMember
}

// jsonMember is a key, and where its value stands.
type jsonMember struct {
	key        string
	start, end int
}

// parseObject reads an object. Errors are *badFile without a path.
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
		return o, &badFile{line: line, says: fmt.Sprintf("it is not valid JSON: line %d, column %d: %v", line, column, err)}
	}
	d := json.NewDecoder(strings.NewReader(text))
	first, err := d.Token()
	if err == nil && first != json.Delim('{') {
		return o, &badFile{line: 1, says: "it is not a JSON object: it does not start with a brace"}
	}
	o.open = int(d.InputOffset())
	for err == nil && d.More() {
		var key json.Token
		var value json.RawMessage
		key, err = d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		name, _ := key.(string) // the decoder takes no other key
		end := int(d.InputOffset())
		if o.find(name) >= 0 {
			line, _ := position(text, int64(end))
			return o, &badFile{line: line, says: fmt.Sprintf("it has %q a second time, in line %d", name, line)}
		}
		o.members = append(o.members, jsonMember{name, end - len(value), end})
	}
	if err != nil {
		return o, &badFile{says: err.Error()}
	}
	return o, nil
}

// position is the line and the column, from 1, of the byte before offset.
func position(text string, offset int64) (line, column int) {
	before := text[:min(max(offset-1, 0), int64(len(text)))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}

func (o object) find(key string) int {
	return slices.IndexFunc(o.members, func(m jsonMember) bool { return m.key == key })
}

// get decodes the value of key into v, which stays as it is where there is none.
func (o object) get(key string, v any) error {
	i := o.find(key)
	if i < 0 {
		return nil
	}
	m := o.members[i]
	if err := json.Unmarshal([]byte(o.text[m.start:m.end]), v); err != nil {
		line, _ := position(o.text, int64(m.start)+1)
		return &badFile{line: line, says: fmt.Sprintf("%q in line %d is not what docker takes there: %v", key, line, err)}
	}
	return nil
}

// set replaces the value of key, or adds it behind the last one, indented as
// the first is.
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

// quote is a text as JSON, with <, > and & as they are.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always encodes
	return strings.TrimSpace(b.String())
}

// quoteAll is a list of texts as JSON, and as TOML.
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// cgroupOption is the exec-opt that says who makes cgroups (dockerd's reference,
// "Options for the runtime").
const cgroupOption = "native.cgroupdriver"

// driverOf is the cgroup driver of an exec-opt, which docker reads without
// regard to case.
func driverOf(option string) (driver string, ok bool) {
	key, value, _ := strings.Cut(option, "=")
	return strings.TrimSpace(value), strings.EqualFold(strings.TrimSpace(key), cgroupOption)
}

// withSystemd is a daemon.json in which systemd makes the cgroups, as it does
// for the rest of a host. Only when that has to be written are logs bounded, too, as
// kubeadm's guide has it, unless somebody chose how to log; given are the
// options that dockerd has by flags.
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

// setDriver gives the options with the cgroup driver systemd in the place of
// another, or says that it is there: docker takes the first.
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
