package nevra

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func docker() NEVRA {
	return NEVRA{Name: "docker-ce", Arch: "x86_64", EVR: EVR{Epoch: "3", Version: "20.10.7", Release: "3.el7"}}
}

func TestParsePin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		kind PinKind
		rel  string
	}{
		{"ipset", PinSpec, "ipset"}, {" ipset\n", PinSpec, "ipset"}, {"", PinSpec, ""}, {"/usr/bin/socat", PinSpec, "/usr/bin/socat"},
		{"docker-ce-3:20.10.7-3.el7.x86_64", PinSpec, "docker-ce-3:20.10.7-3.el7.x86_64"}, {"libc.so.6()(64bit)", PinSpec, "libc.so.6()(64bit)"},
		{"a b", PinSpec, "a b"}, {"a <> 1", PinSpec, "a <> 1"},
		{"a = 1", PinRelation, "a = 1"}, {"a == 1", PinRelation, "a = 1"}, {"a  =>\t2:1-3", PinRelation, "a >= 2:1-3"}, {"a =< 1", PinRelation, "a <= 1"},
		{"a < 1", PinRelation, "a < 1"}, {"a > 1", PinRelation, "a > 1"}, {"a <= 1", PinRelation, "a <= 1"}, {"a >= 1", PinRelation, "a >= 1"},
		{"kube*", PinPattern, ""}, {"a?", PinPattern, ""}, {"[ab]", PinPattern, ""}, {"@core", PinGroup, ""},
	} {
		if got := ParsePin(c.text); got.Kind != c.kind || got.Relation.String() != c.rel {
			t.Errorf("ParsePin(%q) = %+v, want kind %d and %q", c.text, got, c.kind, c.rel)
		}
	}
}

func TestPinMatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]PinForm{
		"docker-ce": FormName, "docker-ce.x86_64": FormNameArch, "docker-ce-20.10.7": FormNameVersion, "docker-ce-3:20.10.7": FormNameVersion,
		"3:docker-ce-20.10.7": FormNameVersion, "docker-ce-20.10.7-3.el7": FormNEVR, "docker-ce-03:20.10.7-3.el7": FormNEVR, "3:docker-ce-20.10.7-3.el7": FormNEVR,
		"docker-ce-20.10.7-3.el7.x86_64": FormNEVRA, "docker-ce-3:20.10.7-3.el7.x86_64": FormNEVRA, "3:docker-ce-20.10.7-3.el7.x86_64": FormNEVRA,
		"": NoForm, "docker": NoForm, "docker-ce.i686": NoForm, "docker-ce-": NoForm, "docker-ce-20.10": NoForm, "docker-ce-20.10.7-3": NoForm,
		"docker-ce-2:20.10.7": NoForm, "0:docker-ce-20.10.7": NoForm, "docker-ce-x:20.10.7": NoForm, "docker-ce-20.10.7-3.el7.i686": NoForm, "docker-ce-20.10.7.x86_64": NoForm,
	} {
		if got := ParsePin(text).Match(docker()); got != want {
			t.Errorf("%q: form %d, want %d", text, got, want)
		}
	}
	none := NEVRA{Name: "a", Arch: "noarch", EVR: EVR{Version: "1", Release: "2"}}
	for _, text := range []string{"a-0:1", "0:a-1-2", "a-1-2.noarch"} {
		if ParsePin(text).Match(none) == NoForm {
			t.Errorf("%q does not mean %s", text, none)
		}
	}
}

func TestPinFixes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"docker-ce": "false false", "docker-ce.x86_64": "false false", "": "false false", "docker-ce >= 19": "false false", "other = 1": "false false",
		"docker-ce-20.10.7": "true false", "docker-ce-3:20.10.7": "true false", "docker-ce = 3:20.10.7": "true false",
		"docker-ce-20.10.7-3.el7": "true true", "docker-ce-3:20.10.7-3.el7.x86_64": "true true", "3:docker-ce-20.10.7-3.el7": "true true", "docker-ce = 20.10.7-3.el7": "true true",
		"docker-ce-20.10.7-*": "true false", "docker-ce-3:20.10.7-3.el7.*": "true true", "docker-ce-20.10.*": "false false", "docker*": "false false",
	} {
		version, release := ParsePin(text).Fixes(docker())
		if got := fmt.Sprint(version, version && release); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPinMatchPattern(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"docker*": true, "docker-ce-20.*": true, "*.x86_64": true, "docker-ce-3:*": true, "3:docker-ce-*": true, "docker-c[ef]": true, "docker-c?": true,
		"docker-ce": true, "docker-ce-20.10.7-3.el7": true, "docker-ce-cli*": false, "*.i686": false, "0:*": false,
	} {
		if got, err := ParsePin(text).MatchPattern(docker()); got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	if _, err := ParsePin("docker[").MatchPattern(docker()); err == nil {
		t.Error("a bad pattern is none")
	}
}

func TestPinName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ipset": "ipset", "docker-ce": "docker-ce", "docker-ce-18.06.3.ce-3.el7": "docker-ce 18.06.3.ce 3.el7", "kubeadm-1.17.4-0": "kubeadm 1.17.4 0",
		"kubeadm-1.17.4": "kubeadm 1.17.4", "container-selinux-2:2.119.2-1.911c772.el7_8.noarch": "container-selinux 2:2.119.2 1.911c772.el7_8.noarch",
		"java-1.8.0-openjdk": "java-1.8.0-openjdk", "java-1.8.0-openjdk-1.8.0.242.b08-0.el7_7.x86_64": "java-1.8.0-openjdk 1.8.0.242.b08 0.el7_7.x86_64",
		"kubernetes-cni-0.8.7-0": "kubernetes-cni 0.8.7 0", "/usr/bin/socat": "/usr/bin/socat", "containerd.io-1.6.33-3.1.el7": "containerd.io 1.6.33 3.1.el7",
		"kubelet-1.17.*": "kubelet 1.17.*", "kubelet-1.17.4-*": "kubelet 1.17.4 *", "docker-ce-*": "docker-ce-*", "kube*": "kube*", "": "", "-1": "-1", "-1-2": "-1 2",
	} {
		p := ParsePin(text)
		got := p.Name()
		if version, release := p.Version(); release != "" {
			got += " " + version + " " + release
		} else if version != "" {
			got += " " + version
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzPin: every form of every package is a pin that means it, and no text
// makes a pin panic.
func FuzzPin(f *testing.F) {
	for _, s := range []string{"docker-ce-3:20.10.7-3.el7.x86_64", "a = 1", "kube*", "@core", "/usr/bin/socat", "-1-2", ":::", "1:a-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := ParsePin(text)
		p.Fixes(docker())
		_, _ = p.MatchPattern(docker())
		names := slices.Collect(p.Names())
		if version, _ := p.Version(); version != "" && !slices.Contains(names, p.Name()) {
			t.Errorf("%q: the name %q is none of %q", text, p.Name(), names)
		}
		n, err := Parse(text)
		if err != nil || p.Kind != PinSpec || strings.Contains(n.Name+n.Version, ":") { // no package has a colon there
			return
		}
		for form, spec := range map[PinForm]string{FormName: n.Name, FormNEVRA: n.String(), FormNEVR: n.Name + "-" + n.EVR.String()} {
			pin := ParsePin(spec)
			if got := pin.Match(n); pin.Text == spec && got > form {
				t.Errorf("%q means %s in form %d, want %d", spec, n, got, form)
			}
			if !slices.Contains(slices.Collect(pin.Names()), n.Name) {
				t.Errorf("%q may not begin with %q", spec, n.Name)
			}
		}
	})
}
