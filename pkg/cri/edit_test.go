package cri

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestWithSystemd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		given      []flag
		want       string // "" keeps the text
		fault      string
		line       int
	}{
		{name: "no file", text: "", want: `{
  "exec-opts": ["native.cgroupdriver=systemd"],
  "log-driver": "json-file",
  "log-opts": {"max-size": "100m"}
}
`},
		{name: "empty object", text: "{ }\n", want: `{
  "exec-opts": ["native.cgroupdriver=systemd"],
  "log-driver": "json-file",
  "log-opts": {"max-size": "100m"}
}
`},
		{name: "as the tutorial has it", text: `{
"exec-opts": ["native.cgroupdriver=systemd"],
"registry-mirrors": ["https://kn0t2bca.mirror.aliyuncs.com"]
}
`},
		{name: "order, unknown keys and spaces stay", text: "{\n\t\"zeta\" : {\"b\":1,  \"a\":2},\n\n\t\"data-root\": \"/data/docker\"\n}", want: "{\n\t\"zeta\" : {\"b\":1,  \"a\":2},\n\n\t\"data-root\": \"/data/docker\"," +
			"\n\t\"exec-opts\": [\"native.cgroupdriver=systemd\"],\n\t\"log-driver\": \"json-file\",\n\t\"log-opts\": {\"max-size\": \"100m\"}\n}"},
		{name: "another driver, other options", text: `{"exec-opts": ["a=<b>", "Native.cgroupdriver = cgroupfs", "native.umask=normal", "native.cgroupdriver=x"], "log-driver": "journald"}`,
			want: `{"exec-opts": ["a=<b>", "native.cgroupdriver=systemd", "native.umask=normal"], "log-driver": "journald"}`},
		{name: "no options", text: `{"exec-opts": null, "log-opts": {"max-file": "3"}}`, want: `{"exec-opts": ["native.cgroupdriver=systemd"], "log-opts": {"max-file": "3"}}`},
		{name: "logs by a flag", text: `{"debug": true}`, given: []flag{{name: "log-opt"}}, want: `{"debug": true, "exec-opts": ["native.cgroupdriver=systemd"]}`},
		{name: "line ends of Windows", text: "{\r\n  \"debug\": true\r\n}\r\n", given: []flag{{name: "log-driver"}}, want: "{\r\n  \"debug\": true,\r\n  \"exec-opts\": [\"native.cgroupdriver=systemd\"]\r\n}\r\n"},
		{name: "a comma too many", text: "{\n  \"debug\": true,\n}\n", fault: "line 3, column 1: invalid character '}'", line: 3},
		{name: "a comment", text: "{\n  // mine\n  \"debug\": true\n}\n", fault: "line 2, column 3: invalid character '/'", line: 2},
		{name: "cut off", text: "{\n  \"debug\": true\n", fault: "unexpected end", line: 2},
		{name: "two of them", text: "{}\n{}\n", fault: "after top-level value", line: 2},
		{name: "no object", text: "[]", fault: "brace", line: 1},
		{name: "twice", text: "{\"debug\": true,\n\"debug\": false}", fault: `duplicate key "debug" in line 2`, line: 2},
		{name: "no list", text: "{\n\"exec-opts\": \"native.cgroupdriver=systemd\"}", fault: `"exec-opts" in line 2`, line: 2},
	} {
		got, err := withSystemd(c.text, c.given)
		if c.fault != "" {
			var bad *badFile
			if !errors.As(err, &bad) || !strings.Contains(bad.says, c.fault) || bad.line != c.line {
				t.Errorf("%s: %+v, want %s", c.name, err, c.fault)
			}
			continue
		}
		if c.want == "" {
			c.want = c.text
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.want)
		}
		if again, err := withSystemd(got, c.given); err != nil || again != got {
			t.Errorf("%s: changed a second time, %v:\n%s", c.name, err, again)
		}
	}
}

// FuzzWithSystemd: what comes out is JSON that says all that went in, in that
// order, and the driver.
func FuzzWithSystemd(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":[1,{"b":"}"}],"exec-opts":["native.cgroupdriver=cgroupfs","x"]}`, "{\n \"log-opts\" : {} }", `{"exec-opts":null}`, `{"A":1e9,"a":"é\"{"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := withSystemd(text, nil)
		if err != nil {
			return
		}
		if strings.TrimSpace(text) == "" {
			text = "{}"
		}
		var before, after map[string]any
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		options, _ := after["exec-opts"].([]any)
		driver := ""
		for _, o := range options {
			text, _ := o.(string)
			if d, ok := driverOf(text); ok {
				driver = d
				break
			}
		}
		if driver != "systemd" {
			t.Errorf("%q: the driver is %q", got, driver)
		}
		for key, value := range before {
			if key != "exec-opts" && !reflect.DeepEqual(after[key], value) {
				t.Errorf("%q: %q was changed", got, key)
			}
		}
		old, _ := parseObject(text)
		now, err := parseObject(got)
		if err != nil || len(now.members) < len(old.members) {
			t.Fatalf("%q: %v", got, err)
		}
		for i, m := range old.members {
			if now.members[i].key != m.key {
				t.Errorf("%q: key %d is %q, was %q", got, i, now.members[i].key, m.key)
			}
		}
		if again, err := withSystemd(got, nil); err != nil || again != got {
			t.Errorf("%q changed a second time to %q, %v", got, again, err)
		}
	})
}

// packaged is what containerd.io ships.
const packaged = `#   Copyright 2018-2022 Docker Inc.

#   Licensed under the Apache License, Version 2.0 (the "License");

disabled_plugins = ["cri"]

#root = "/var/lib/containerd"
#[grpc]
#  address = "/run/containerd/containerd.sock"
`

const own = `# of the site
version = 2
root = "/data/containerd"
disabled_plugins = [
  "cri", # as shipped
  "io.containerd.internal.v1.opt",
]
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.k8s.io/pause:3.6" # pinned
    [plugins.'io.containerd.grpc.v1.cri'.containerd]
      snapshotter = "overlayfs"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          BinaryName = "/usr/sbin/runc"
[debug]
  level = "info"
`

const ownAfter = `# of the site
version = 2
root = "/data/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "k8s.gcr.io/pause:3.1" # pinned
    [plugins.'io.containerd.grpc.v1.cri'.containerd]
      snapshotter = "overlayfs"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          SystemdCgroup = true
          BinaryName = "/usr/sbin/runc"
[debug]
  level = "info"
`

const testPause = "k8s.gcr.io/pause:3.1"

func TestWithCRI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want, fault string }{
		{name: "no file", text: "", want: newConfig(testPause)},
		{name: "the package's", text: packaged, want: newConfig(testPause)},
		{name: "ours", text: newConfig(testPause), want: newConfig(testPause)},
		{name: "another pause image", text: newConfig("k8s.gcr.io/pause:3.2"), want: newConfig(testPause)},
		{name: "an own one", text: own, want: ownAfter},
		{name: "only a version", text: "version = 2", want: `version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "k8s.gcr.io/pause:3.1"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
`},
		{name: "spelt otherwise", text: "version=2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image='k8s.gcr.io/pause:3.1'\ncontainerd.default_runtime_name='kata'\n" +
			"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.kata]\nruntime_type='io.containerd.kata.v2'\noptions.SystemdCgroup=false\n",
			want: "version=2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image='k8s.gcr.io/pause:3.1'\ncontainerd.default_runtime_name='kata'\n" +
				"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.kata]\nruntime_type='io.containerd.kata.v2'\noptions.SystemdCgroup=true\n"},
		{name: "version 1", text: "[plugins.cri]\nsandbox_image = \"x\"\n", fault: "no version, which means 1"},
		{name: "version 3", text: "version = 3\n[x]\n", fault: "version 3"},
		{name: "the old runtime", text: "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runtime.v1.linux\"\n", fault: "io.containerd.runtime.v1.linux"},
		{name: "an inline table", text: "version = 2\n[plugins]\n\"io.containerd.grpc.v1.cri\" = {enable_selinux = true}\n", fault: "line 3: cannot add a key to"},
		{name: "dotted keys", text: "version = 2\n[plugins]\n\"io.containerd.grpc.v1.cri\".enable_selinux = true\n", fault: "line 3: cannot add a key to"},
		{name: "a long text", text: "version = 2\nx = \"\"\"\n[plugins]\n\"\"\"\n", fault: "line 2: multi-line strings"},
		{name: "nonsense", text: "version = 2\nwhat is this\n", fault: "line 2: missing ="},
		{name: "two values", text: "version = 2\nx = \"a\" \"b\"\n", fault: "line 2: unexpected text"},
	} {
		got, err := withCRI(c.text, testPause)
		if c.fault != "" {
			var bad *badFile
			if !errors.As(err, &bad) || !strings.Contains(bad.says, c.fault) {
				t.Errorf("%s: %v, want %s", c.name, err, c.fault)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, got, c.want)
		}
		if again, err := withCRI(got, testPause); err != nil || again != got {
			t.Errorf("%s: changed a second time, %v:\n%s", c.name, err, again)
		}
	}
}

func FuzzWithCRI(f *testing.F) {
	for _, seed := range []string{packaged, own, newConfig(testPause), "version = 2", "version=2\na.b = [[1,2],{x='#'}]\n[[t]]\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := withCRI(text, testPause)
		if err != nil {
			var bad *badFile
			if !errors.As(err, &bad) {
				t.Errorf("%q: %v is no fault of the file", text, err)
			}
			return
		}
		if again, err := withCRI(got, testPause); err != nil || again != got {
			t.Errorf("%q became %q, then %q, %v", text, got, again, err)
		}
	})
}

func TestExecStartWords(t *testing.T) {
	t.Parallel()
	line := expanded(words(`/usr/bin/dockerd -H fd:// --exec-opt native.cgroupdriver=cgroupfs "--label=a b" -Hunix://x $OPTIONS --data-root=${ROOT}/docker --debug -s overlay2`, "unit"),
		map[string]word{"OPTIONS": {"--log-driver journald --selinux-enabled", "sysconfig"}, "ROOT": {"/data", "sysconfig"}})
	var got []string
	for _, f := range flags(line, dockerShort()) {
		got = append(got, f.name+"="+f.value+"@"+f.file)
	}
	want := "host=fd://@unit exec-opt=native.cgroupdriver=cgroupfs@unit label=a b@unit host=unix://x@unit log-driver=journald@sysconfig " +
		"selinux-enabled=@sysconfig data-root=/data/docker@sysconfig debug=@unit storage-driver=overlay2@unit"
	if strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
}

func FuzzExecStart(f *testing.F) {
	f.Add("[Service]\nExecStart=/usr/bin/dockerd \\\n -H fd:// $X\nEnvironment=\"X=a b\"\n")
	f.Fuzz(func(_ *testing.T, text string) {
		for _, value := range serviceSettings(text) {
			flags(expanded(words(value, ""), nil), dockerShort())
		}
	})
}

func TestWithEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "runtime-endpoint: unix:///run/containerd/containerd.sock\nimage-endpoint: unix:///run/containerd/containerd.sock\n",
		"debug: true\nruntime-endpoint: unix:///var/run/dockershim.sock\ntimeout: 2": "debug: true\nruntime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 2\nimage-endpoint: unix:///run/containerd/containerd.sock\n",
	} {
		got := withEndpoint(text)
		if got != want || withEndpoint(got) != got {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
