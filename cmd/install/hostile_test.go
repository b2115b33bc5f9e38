package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/visible/hostiletest"
)

// ticketText is a ticket as JSON, which is YAML, with one field changed.
func ticketText(t *testing.T, field string, value any) string {
	t.Helper()
	m := map[string]any{
		"apiVersion": "kubecrate/v1", "kind": "Ticket", "cluster": "lab", "endpoint": "192.0.2.7:6443", "token": "abcdef.0123456789abcdef",
		"caCertHashes": []string{"sha256:" + strings.Repeat("a", 64)}, "expires": "2099-01-01T00:00:00Z",
	}
	m[field] = value
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func reportText(t *testing.T, field string, value any) string {
	t.Helper()
	m := map[string]any{"apiVersion": "kubecrate/v1", "kind": "Facts", "hostname": "node9", "time": "2020-01-01T00:00:00Z", "os": map[string]any{},
		"kernel": "", "arch": "amd64", "cpus": 1, "memory": 1, "swap": 0, "interfaces": []any{map[string]any{"name": "eth0", "mac": "52:54:00:00:00:99"}}}
	m[field] = value
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestHostile: whatever the stick, the command line and the environment contain, the
// output has no terminal escapes and no forged lines.
func TestHostile(t *testing.T) {
	t.Parallel()
	const text = hostiletest.Text
	type files map[string]string
	plan, preflight := []string{"plan", "--role", "node"}, []string{"preflight", "--role", "node"}
	for name, c := range map[string]struct {
		files files
		args  []string
	}{
		"the cluster of a ticket":         {files{"join.yaml": ticketText(t, "cluster", text)}, plan},
		"the version of a ticket":         {files{"join.yaml": ticketText(t, "kubernetes", "v9.9.9"+text)}, preflight},
		"the endpoint of a ticket":        {files{"join.yaml": ticketText(t, "endpoint", text)}, preflight},
		"the expiry of a ticket":          {files{"join.yaml": ticketText(t, "expires", text)}, plan},
		"a host of a ticket":              {files{"join.yaml": ticketText(t, "hosts", []any{map[string]any{"name": text, "address": text}})}, plan},
		"an unknown key of a ticket":      {files{"join.yaml": ticketText(t, text, "x")}, plan},
		"bytes in a ticket":               {files{"join.yaml": "cluster: " + hostiletest.Bytes}, plan},
		"a cluster file":                  {files{"cluster.yaml": "apiVersion: kubecrate/v1\nkind: Cluster\nname: " + hostiletest.Quoted()}, plan},
		"a key of a cluster file":         {files{"cluster.yaml": hostiletest.Quoted() + ": 1\n"}, plan},
		"a route in a host report":        {files{"hosts/node9.json": reportText(t, "routes", []any{map[string]any{"interface": "eth0" + text, "destination": "10.244.7.0/24"}})}, preflight},
		"a name in a host report":         {files{"hosts/node9.json": reportText(t, "hostname", text)}, preflight},
		"a time in a host report":         {files{"hosts/node9.json": reportText(t, "time", text)}, preflight},
		"a machine in a host report":      {files{"hosts/node9.json": reportText(t, "productUUID", text)}, preflight},
		"a key of a host report":          {files{"hosts/node9.json": reportText(t, text, 1)}, preflight},
		"the name of a host report":       {files{"hosts/" + strings.ReplaceAll(hostiletest.Bytes, "/", "") + ".json": "{"}, preflight},
		"a name in the sidecar":           {files{"k-amd64.tar.zst.sha256": strings.Repeat("a", 64) + "  evil" + strings.ReplaceAll(hostiletest.Bytes, "\n", "\v") + ".tar\n"}, []string{"verify"}},
		"the lock":                        {nil, []string{"inspect"}},
		"a public key":                    {files{"k.pub": "untrusted comment: " + hostiletest.Bytes}, []string{"verify", "--key", "k.pub"}},
		"an identity":                     {files{"identity.age": hostiletest.Bytes}, plan},
		"a second archive of another one": {files{strings.ReplaceAll(hostiletest.Bytes, "/", "") + ".tar.zst": "x"}, []string{"verify", "--archive", strings.ReplaceAll(hostiletest.Bytes, "/", "") + ".tar.zst"}},
		"a flag":                          {nil, []string{"plan", "--" + text}},
		"the value of a flag":             {nil, []string{"plan", "--role", text}},
		"the name of a ticket's file":     {nil, []string{"plan", "--role", "node", "--ticket", text}},
		"the name of an interface":        {nil, []string{"preflight", "--role", "node", "--interface", text}},
		"a check to skip":                 {nil, []string{"preflight", "--role", "node", "--skip-preflight", text}},
		"a command":                       {nil, []string{text}},
		"an argument":                     {nil, []string{"plan", text}},
		"a topic of help":                 {nil, []string{"help", text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			archive := hostiletest.Archive(t, dir)
			for file, content := range c.files {
				hostiletest.Write(t, filepath.Join(dir, file), content)
			}
			for _, json := range []bool{false, true} {
				args := append([]string{"--archive", archive}, c.args...)
				for i, a := range args {
					if _, err := os.Stat(filepath.Join(dir, a)); i > 1 && err == nil {
						args[i] = filepath.Join(dir, a)
					}
				}
				if json {
					args = append(args, "--output", "json")
				}
				var stdout, stderr bytes.Buffer
				a := newApp(&stdout, &stderr)
				cli.Run(a.root(), &a.out, args)
				if stdout.Len()+stderr.Len() == 0 {
					t.Fatal("no output")
				}
				hostiletest.Check(t, "stdout", stdout.String())
				hostiletest.Check(t, "stderr", stderr.String())
				if json && !strings.Contains(strings.Join(args, " "), "help") {
					hostiletest.CheckJSON(t, "stdout", stdout.String())
				}
			}
		})
	}
}
