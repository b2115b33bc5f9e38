package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct{ args, path, within string }{
		{"--root /r --log /l --log-format json create --bundle /b --pid-file /p id", "/b/config.json", "process"},
		{"--systemd-cgroup run -b=/b id", "/b/config.json", "process"},
		{"create id", "config.json", "process"},
		{"--root /r exec --process /p.json --detach id", "/p.json", ""},
		{"exec -p /p.json id", "/p.json", ""},
		{"exec id ls", "", ""},
		{"--root /r delete --force id", "", ""},
		{"", "", ""},
	} {
		path, within := config(strings.Fields(c.args))
		if path != c.path || within != c.within {
			t.Errorf("%q: %q, %q", c.args, path, within)
		}
	}
}

func TestEdit(t *testing.T) {
	const process = `{"args":["sh"],"capabilities":{"bounding":["CAP_KILL"]},"user":{"uid":18446744073709551615}}`
	const asked = `{"args":["sh"],"capabilities":{"bounding":["CAP_SYS_RESOURCE","CAP_KILL"]},"oomScoreAdj":-998,` +
		`"rlimits":[{"type":"RLIMIT_NOFILE","hard":1048576,"soft":1048576}],"user":{"uid":18446744073709551615}}`
	for _, c := range []struct{ name, within, before, after string }{
		{"a container", "process", `{"ociVersion":"1.0.2","process":` + asked + `}`, `{"ociVersion":"1.0.2","process":` + process + `}`},
		{"a further process", "", asked, process},
		{"a positive score stays", "", `{"oomScoreAdj":1000}`, `{"oomScoreAdj":1000}`},
		{"no process", "process", `{"root":{}}`, `{"root":{}}`},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := edit(path, c.within); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.after {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.after)
		}
	}
}
