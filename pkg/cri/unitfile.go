package cri

import (
	"maps"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/host"
)

// unitDirs are the directories of unit files; the first that has a name wins
// (systemd.unit(5)).
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// word is a word of a command line, and the file that contains it.
type word struct{ text, file string }

// execStart returns the command line of a service from its unit and drop-ins, with
// its environment variables expanded; empty if there is no such unit. It reads the
// files, because hints name the file to fix.
func execStart(h *host.Host, unit string) ([]word, error) {
	files, err := unitFiles(h, unit)
	if err != nil {
		return nil, err
	}
	var line []word
	env := map[string]word{}
	for _, f := range files {
		text, err := h.Text(f)
		if err != nil {
			return nil, err
		}
		for key, value := range serviceSettings(text) {
			switch key {
			case "ExecStart":
				if value = strings.TrimLeft(value, "@-+!:"); value == "" {
					line = nil
					continue
				}
				line = words(value, f)
			case "Environment":
				for _, w := range words(value, f) {
					setVariable(env, w.text, f)
				}
			case "EnvironmentFile":
				if err := readVariables(h, env, strings.TrimPrefix(value, "-")); err != nil {
					return nil, err
				}
			}
		}
	}
	return expanded(line, env), nil
}

// unitFiles returns the file of a unit and its drop-ins, in the order in which
// systemd reads them.
func unitFiles(h *host.Host, unit string) ([]string, error) {
	var files []string
	for _, dir := range unitDirs() {
		ok, err := h.Exists(dir + "/" + unit)
		if err != nil {
			return nil, err
		}
		if ok {
			files = append(files, dir+"/"+unit)
			break
		}
	}
	dropIns := map[string]string{}
	for _, dir := range unitDirs() {
		names, err := h.ReadDir(dir + "/" + unit + ".d")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if _, known := dropIns[n]; !known && strings.HasSuffix(n, ".conf") {
				dropIns[n] = path.Join(dir, unit+".d", n)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(dropIns)) {
		files = append(files, dropIns[n])
	}
	return files, nil
}

// serviceSettings iterates over the settings of the section Service, with
// continuation lines joined.
func serviceSettings(text string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		in, held := false, ""
		for line := range strings.Lines(text) {
			line = held + strings.TrimSpace(line)
			held = ""
			if more, ok := strings.CutSuffix(line, `\`); ok {
				held = more + " "
				continue
			}
			switch {
			case line == "" || line[0] == '#' || line[0] == ';':
			case line[0] == '[':
				in = line == "[Service]"
			case in:
				key, value, _ := strings.Cut(line, "=")
				if !yield(strings.TrimSpace(key), strings.TrimSpace(value)) {
					return
				}
			}
		}
	}
}

// words splits at spaces outside quotes, as systemd.syntax(7) describes.
func words(text, file string) []word {
	var list []word
	var b strings.Builder
	quote, open := rune(0), false
	end := func() {
		if open {
			list = append(list, word{b.String(), file})
		}
		b.Reset()
		open = false
	}
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			end()
		default:
			b.WriteRune(c)
			open = true
		}
	}
	end()
	return list
}

func setVariable(env map[string]word, assignment, file string) {
	if name, value, ok := strings.Cut(assignment, "="); ok {
		env[name] = word{value, file}
	}
}

// readVariables reads an EnvironmentFile; a missing one sets nothing.
func readVariables(h *host.Host, env map[string]word, file string) error {
	text, err := h.Text(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		env[strings.TrimSpace(name)] = word{value, file}
	}
	return nil
}

// expanded expands variables: $NAME as a word becomes any number of words, ${NAME}
// stays within its word.
func expanded(line []word, env map[string]word) []word {
	var out []word
	for _, w := range line {
		if name, ok := strings.CutPrefix(w.text, "$"); ok && !strings.HasPrefix(name, "{") {
			v := env[name]
			out = append(out, words(v.text, v.file)...)
			continue
		}
		for name, v := range env {
			if strings.Contains(w.text, "${"+name+"}") {
				w = word{strings.ReplaceAll(w.text, "${"+name+"}", v.text), v.file}
			}
		}
		out = append(out, w)
	}
	return out
}

// flag is an option of a command line, by its long name, with its value.
type flag struct{ name, value, file string }

// flags parses the options of a command line; short maps one-letter options to long
// names.
func flags(line []word, short map[string]string) []flag {
	var list []flag
	for i := 1; i < len(line); i++ {
		w := line[i]
		text, long := strings.CutPrefix(w.text, "--")
		if !long {
			letter, ok := strings.CutPrefix(w.text, "-")
			if !ok || letter == "" {
				continue
			}
			name, known := short[letter[:1]]
			if !known {
				continue
			}
			if text = name; len(letter) > 1 {
				text += "=" + strings.TrimPrefix(letter[1:], "=")
			}
		}
		name, value, given := strings.Cut(text, "=")
		if !given && i+1 < len(line) && !strings.HasPrefix(line[i+1].text, "-") {
			i++
			value = line[i].text
		}
		list = append(list, flag{name, value, w.file})
	}
	return list
}
