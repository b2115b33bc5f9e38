package cri

import (
	"fmt"
	"slices"
)

// newConfig returns a complete config.toml.
func newConfig(pause string) string {
	return fmt.Sprintf(`version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
`, pause)
}

// withCRI returns a config.toml with the CRI plugin enabled, the systemd cgroup
// driver and the pause image. The package's default file, which only disables the
// plugin, is replaced; in any other only these keys change. Errors are *badFile
// without a path.
func withCRI(text, pause string) (string, error) {
	items, err := scanTOML(text)
	if err != nil {
		return "", err
	}
	disabled := []string{"disabled_plugins"}
	off := findTOML(items, disabled)
	if len(items) == 0 || len(items) == 1 && off == 0 {
		return newConfig(pause), nil
	}
	version := ""
	if i := findTOML(items, []string{"version"}); i >= 0 {
		version = text[items[i].start:items[i].end]
	}
	if version != "2" {
		return "", &badFile{says: "it must have version = 2, but has " + versionName(version)}
	}
	if off >= 0 {
		names, err := textsTOML(text[items[off].start:items[off].end])
		if err != nil {
			return "", err
		}
		kept := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "cri" || n == criPlugin })
		if len(kept) < len(names) {
			if text, err = setTOML(text, disabled, quoteAll(kept)); err != nil {
				return "", err
			}
		}
	}
	runtime, err := stringTOML(text, []string{"plugins", criPlugin, "containerd", "default_runtime_name"}, "runc")
	if err != nil {
		return "", err
	}
	below := func(key ...string) []string {
		return slices.Concat([]string{"plugins", criPlugin, "containerd", "runtimes", runtime}, key)
	}
	kind, err := stringTOML(text, below("runtime_type"), "")
	if err != nil {
		return "", err
	}
	if kind == "io.containerd.runtime.v1.linux" {
		return "", &badFile{says: "its runtime " + runtime + " has type " + kind + ", which does not support SystemdCgroup"}
	}
	wanted := []setting{{[]string{"plugins", criPlugin, "sandbox_image"}, fmt.Sprintf("%q", pause)}}
	if kind == "" {
		wanted = append(wanted, setting{below("runtime_type"), fmt.Sprintf("%q", runcType)})
	}
	return withSettings(text, append(wanted, setting{below("options", "SystemdCgroup"), "true"}))
}

// setting is a key of a TOML text, and the literal of its value.
type setting struct {
	path    []string
	literal string
}

// withSettings applies all settings; those that already have the value keep their
// spelling.
func withSettings(text string, wanted []setting) (string, error) {
	for _, w := range wanted {
		items, err := scanTOML(text)
		if err != nil {
			return "", err
		}
		if i := findTOML(items, w.path); i >= 0 {
			now := text[items[i].start:items[i].end]
			if plain, err := unquoteTOML(now); now == w.literal || err == nil && fmt.Sprintf("%q", plain) == w.literal {
				continue
			}
		}
		if text, err = setTOML(text, w.path, w.literal); err != nil {
			return "", err
		}
	}
	return text, nil
}

func versionName(literal string) string {
	if literal == "" {
		return "no version, which means 1"
	}
	return "version " + literal
}

// stringTOML returns the string at path, or instead if it is not set.
func stringTOML(text string, path []string, instead string) (string, error) {
	items, err := scanTOML(text)
	if err != nil {
		return "", err
	}
	i := findTOML(items, path)
	if i < 0 {
		return instead, nil
	}
	value, err := unquoteTOML(text[items[i].start:items[i].end])
	if err != nil {
		return "", &badFile{line: items[i].line, says: fmt.Sprintf("line %d: %v", items[i].line, err)}
	}
	if value == "" {
		value = instead
	}
	return value, nil
}

// textsTOML returns the strings of an array.
func textsTOML(literal string) (texts []string, err error) {
	s := &tomlScan{text: literal}
	for s.at < len(literal) {
		if c := literal[s.at]; c == '#' {
			s.ended()
			continue
		} else if c != '"' && c != '\'' {
			s.at++
			continue
		}
		begin := s.at
		if err := s.quoted(); err != nil {
			return nil, &badFile{says: err.Error()}
		}
		text, err := unquoteTOML(literal[begin:s.at])
		if err != nil {
			return nil, &badFile{says: err.Error()}
		}
		texts = append(texts, text)
	}
	return texts, nil
}
