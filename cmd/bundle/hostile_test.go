package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/visible/hostiletest"
)

// stranger is a server that says what a terminal would obey, in the words of a
// registry.
func stranger(t *testing.T) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"name": hostiletest.Text, "tags": []string{hostiletest.Text},
		"errors": []any{map[string]string{"code": hostiletest.Text, "message": hostiletest.Text, "detail": hostiletest.Text}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/":
		case strings.HasSuffix(r.URL.Path, "/tags/list"):
			_, _ = w.Write(body)
		case strings.HasPrefix(r.URL.Path, "/v2/"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(body)
		case strings.HasSuffix(r.URL.Path, "/repodata/repomd.xml"):
			_, _ = w.Write([]byte(`<repomd><data type="` + hostiletest.Bytes + `"><location href="` + hostiletest.Bytes + `"/></data></repomd>`))
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(hostiletest.Bytes))
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func manifestText(fields string) string {
	return "apiVersion: kubecrate/v1\nkind: Bundle\nname: k\nplatform: {family: el7, arch: amd64}\nkubernetes: v1.17.4\nruntime: docker\nnetwork: flannel\n" + fields
}

// TestHostile: whatever a stranger's archive, lock or manifest, a registry, a
// repository or the command line holds, no output has anything that a terminal
// obeys, or a line that the program did not make.
func TestHostile(t *testing.T) {
	t.Parallel()
	url := stranger(t)
	registry := strings.TrimPrefix(url, "http://")
	m, err := manifest.Parse("m.yaml", []byte(manifestText("images: {list: [\"k8s.gcr.io/pause:3.1\"]}\n")))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := hostiletest.Lock(m).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const text, quoted = hostiletest.Text, "QUOTED"
	other := strings.ReplaceAll(string(lock), "3.1", "3.2")
	for name, c := range map[string]struct {
		file, content string
		args          []string
	}{
		"an archive":                  {"", "", []string{"inspect", "k-amd64.tar.zst"}},
		"why in an archive":           {"", "", []string{"why", "k-amd64.tar.zst", "kubelet"}},
		"why of an image":             {"", "", []string{"why", "k-amd64.tar.zst", "k8s.gcr.io/pause:3.1"}},
		"why of what is not there":    {"", "", []string{"why", "k-amd64.tar.zst", text}},
		"a lock":                      {"k.lock", string(lock), []string{"why", "k.lock", "kubelet"}},
		"two locks":                   {"k.lock", other, []string{"diff", "k.lock", "k-amd64.tar.zst"}},
		"a key of a lock":             {"k.lock", quoted + ": 1\n", []string{"why", "k.lock", "kubelet"}},
		"bytes in a lock":             {"k.lock", hostiletest.Bytes, []string{"why", "k.lock", "kubelet"}},
		"the sidecar":                 {"k-amd64.tar.zst.sha256", strings.Repeat("a", 64) + "  " + strings.ReplaceAll(hostiletest.Bytes, "\n", "\v") + "\n", []string{"verify", "k-amd64.tar.zst"}},
		"a key of a manifest":         {"m.yaml", manifestText(quoted + ": 1\n"), []string{"lock", "m.yaml"}},
		"the name of a manifest":      {"m.yaml", strings.Replace(manifestText(""), "name: k", "name: "+quoted, 1), []string{"lock", "m.yaml"}},
		"a root of a manifest":        {"m.yaml", manifestText("packages: {roots: [" + quoted + "]}\n"), []string{"lock", "m.yaml"}},
		"an image of a manifest":      {"m.yaml", manifestText("images: {list: [" + quoted + "]}\n"), []string{"lock", "m.yaml"}},
		"bytes in a manifest":         {"m.yaml", manifestText(hostiletest.Bytes), []string{"lock", "m.yaml"}},
		"a field that is set":         {"m.yaml", manifestText(""), []string{"lock", "m.yaml", "--set", text}},
		"a mirror":                    {"m.yaml", manifestText(""), []string{"lock", "m.yaml", "--mirror", text}},
		"a baseline":                  {"m.yaml", manifestText(""), []string{"lock", "m.yaml", "--baseline", text}},
		"a registry":                  {"m.yaml", manifestText("images: {list: [\"" + registry + "/pause:3.1\"]}\n"), []string{"lock", "m.yaml"}},
		"a repository":                {"m.yaml", manifestText("packages: {baseline: none, roots: [a], repos: [{id: r, baseurl: [\"" + url + "/r\"], gpgcheck: false}]}\n"), []string{"lock", "m.yaml"}},
		"a file's server":             {"m.yaml", manifestText("files: [{url: \"" + url + "/f\", path: f}]\n"), []string{"lock", "m.yaml"}},
		"the name of a manifest file": {"", "", []string{"lock", text}},
		"a command":                   {"", "", []string{text}},
		"a flag":                      {"", "", []string{"build", "--" + text}},
		"a level":                     {"", "", []string{"build", "--level", text}},
		"a profile":                   {"", "", []string{"profiles", text}},
		"a topic of help":             {"", "", []string{"help", text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			hostiletest.Archive(t, dir)
			if c.file != "" {
				hostiletest.Write(t, filepath.Join(dir, c.file), strings.ReplaceAll(c.content, quoted, hostiletest.Quoted()))
			}
			for _, asJSON := range []bool{false, true} {
				args := append([]string{}, c.args...)
				for i, a := range args {
					if _, err := os.Stat(filepath.Join(dir, a)); i > 0 && err == nil {
						args[i] = filepath.Join(dir, a)
					}
				}
				if args[0] == "lock" {
					args = append(args, "--cache", filepath.Join(dir, "cache"), "--retries", "1")
				}
				if asJSON {
					args = append(args, "--output", "json")
				}
				var stdout, stderr bytes.Buffer
				a := newApp(&stdout, &stderr)
				cli.Run(a.root(), &a.out, args)
				if stdout.Len()+stderr.Len() == 0 {
					t.Fatal("it says nothing")
				}
				hostiletest.Check(t, "stdout", stdout.String())
				hostiletest.Check(t, "stderr", stderr.String())
				if asJSON && args[0] != "help" {
					hostiletest.CheckJSON(t, "stdout", stdout.String())
				}
			}
		})
	}
}

// TestHostilePage: the page for a browser has nothing hidden or reordered either.
func TestHostilePage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive := hostiletest.Archive(t, dir)
	var stdout, stderr bytes.Buffer
	a := newApp(&stdout, &stderr)
	page := filepath.Join(dir, "r.html")
	if code := cli.Run(a.root(), &a.out, []string{"inspect", archive, "--html", page}); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	text, err := os.ReadFile(page)
	if err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if l := strings.TrimSpace(line); !strings.HasPrefix(l, "ok everything") && !strings.HasPrefix(l, "hint: rm") {
			hostiletest.Check(t, "the page", strings.ReplaceAll(line, "\t", " "))
		}
	}
}
