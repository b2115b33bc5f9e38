package distro

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/nevra/nevratest"
)

// TestExplain: what yum 3.4, dnf 4 and rpm say, and what the operator reads.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, want, hint string }{
		{"Existing lock /var/run/yum.pid: another copy is running as pid 2047.\nAnother app is currently holding the yum lock; waiting for it to exit...",
			"another package manager is running, process 2047", "ps -fp 2047 "},
		{"Waiting for process with pid 311 to finish.", "process 311", "ps -fp 311 "},
		{"error: rpmdb: BDB0113 Thread/process 3029/140 failed: BDB1507 Thread died in Berkeley DB library", "rpm's database is damaged", "rpm --rebuilddb"},
		{"error: cannot open Packages database in /var/lib/rpm", "rpm's database is damaged", "rpm --rebuilddb"},
		{"error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)", "holds /var/lib/rpm/.rpm.lock ", "fuser -v /var/lib/rpm/.rpm.lock "},
		{"Transaction check error:\n  installing package kubelet-1.17.4-0.x86_64 needs 112MB on the / filesystem\n\nError Summary\n-------------\nDisk Requirements:\n  At least 112MB more space needed on the / filesystem.",
			"the file system of / needs 112MB more space", "df -h /;"},
		{"Error: Transaction test error:\n  installing package kubelet-1.17.4-0.x86_64 needs 12MB more space on the /usr filesystem", "exit status 1", ""},
		{"error: unpacking of archive failed on file /usr/bin/kubelet;5e: cpio: write failed - No space left on device", "a file system is full", "df -h; df -i"},
		{"error: can't create transaction: Read-only file system", "mounted read-only", "findmnt"},
		{"Transaction check error:\n  file /usr/bin/docker from install of docker-ce-18.06.3.ce-3.el7.x86_64 conflicts with file from package docker-common-2:1.13.1-203.git0be3e21.el7.centos.x86_64\n",
			"docker-ce-18.06.3.ce-3.el7.x86_64 contains the file /usr/bin/docker, which belongs to docker-common-2:1.13.1-203.git0be3e21.el7.centos.x86_64 ", "remove docker-common-2:1.13.1-203.git0be3e21.el7.centos.x86_64, if"},
		{"  file /opt/cni/bin/host-local conflicts between attempted installs of kubernetes-cni-0.8.7-0.x86_64 and cni-1.0-1.x86_64\n", "kubernetes-cni-0.8.7-0.x86_64 and cni-1.0-1.x86_64 of the bundle contain the same file", "rebuild the bundle"},
		{"Error:  Multilib version problems found.\n       Protected multilib versions: libselinux-2.5-15.el7.x86_64 != libselinux-2.5-14.1.el7.i686\n", "libselinux-2.5-15.el7.x86_64 and libselinux-2.5-14.1.el7.i686 must have the same version", "remove libselinux-2.5-14.1.el7.i686, if"},
		{"Error: Package: docker-ce-18.06.3.ce-3.el7.x86_64 (kubecrate)\n           Requires: container-selinux >= 2.9\n You could try using --skip-broken to work around the problem",
			"docker-ce-18.06.3.ce-3.el7.x86_64 needs container-selinux >= 2.9, which neither", "bundle lock --baseline"},
		{"Error: \n Problem: conflicting requests\n  - nothing provides conntrack needed by kubelet-1.17.4-0.x86_64\n(try to add '--skip-broken' to skip uninstallable packages)",
			"kubelet-1.17.4-0.x86_64 needs conntrack, which neither", "bundle lock --baseline"},
		{"  - package policycoreutils-python-2.5-34.el7.x86_64 requires policycoreutils = 2.5-34.el7, but none of the providers can be installed", "policycoreutils-python-2.5-34.el7.x86_64 needs policycoreutils = 2.5-34.el7, which", "bundle lock --baseline"},
		{"Error: docker-ce conflicts with 2:docker-1.13.1-203.git0be3e21.el7.centos.x86_64", "docker-ce conflicts with 2:docker-1.13.1-203.git0be3e21.el7.centos.x86_64", "remove 2:docker"},
		{"  - package docker-ce-18.06.3.ce-3.el7.x86_64 conflicts with docker provided by docker-2:1.13.1-203.el7.x86_64\n", "docker-ce-18.06.3.ce-3.el7.x86_64 conflicts with docker-2:1.13.1-203.el7.x86_64 ", "remove docker-2:"},
		{"Error in PREIN scriptlet in rpm package docker-ce-18.06.3.ce-3.el7.x86_64", "the PREIN script of docker-ce-18.06.3.ce-3.el7.x86_64 failed", "less /var/lib/kubecrate/yum.log"},
		{"error: %pre(docker-ce-18.06.3.ce-3.el7.x86_64) scriptlet failed, exit status 1", "the pre script of docker-ce-18.06.3.ce-3.el7.x86_64 failed", "less "},
		{"No package kubelet-1.17.4-0.x86_64 available.\nError: Nothing to do", "kubelet-1.17.4-0.x86_64 is not in the unpacked repository", "rm -rf /var/lib/kubecrate/repo"},
		{"file:///var/lib/kubecrate/repo/a.rpm: [Errno -1] Package does not match intended download.", "the unpacked repository is damaged", "rm -rf /var/lib/kubecrate/repo"},
		{strings.Repeat("line\n", 50) + "something new", "something new", ""},
		{"", "yum: exit status 1", ""},
	} {
		cause := errors.New("exit status 1")
		err := el7().explain(&host.CommandError{Argv: []string{"yum", "install", "x"}, Err: cause}, c.said)
		if !strings.Contains(err.Error(), c.want) || !errors.Is(err, cause) || strings.Count(err.Error(), "\n") > 12 {
			t.Errorf("%.60q: %v", c.said, err)
		}
		if got := hint.Of(err); !strings.Contains(got, c.hint) || (c.hint == "") != (got == "") {
			t.Errorf("%.60q: hint %q, want %q", c.said, got, c.hint)
		}
	}
}

// TestSatisfies: a pin of a version leaves the release open.
func TestSatisfies(t *testing.T) {
	t.Parallel()
	have := installed{"kubelet": {{Name: "kubelet", Arch: "x86_64", EVR: nevra.EVR{Version: "1.17.4", Release: "1"}}}}
	for root, want := range map[string]int{"kubelet": 0, "kubelet-1.17.4": 0, "kubelet-1.17.4-0": 1} {
		_, newer := compare([]manifest.LockedPackage{{NEVRA: nevratest.Parse("kubelet-1.17.4-0.x86_64"), Why: []manifest.LockedReason{{Root: root}}}}, have)
		if len(newer) != want {
			t.Errorf("%s: %v", root, newer)
		}
	}
}

func TestParseNeeds(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(parseNeeds("error: Failed dependencies:\n\tlibltdl.so.7()(64bit) is needed by (installed) foo-1.0-1.x86_64\n" +
		"\tcontainer-selinux >= 2:2.74 is needed by (installed) podman-1.6.4-1.x86_64\n\t/usr/bin/x is needed by y-1-1.noarch\n"))
	if want := "[{libltdl.so.7()(64bit) foo-1.0-1.x86_64} {container-selinux podman-1.6.4-1.x86_64}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// FuzzTexts: nothing that another program prints, or a host has in its files, is
// too strange to be read.
func FuzzTexts(f *testing.F) {
	f.Add("kubelet-0:1.17.4-0.x86_64\ngpg-pubkey-0:f4a80eb5-53a7ff4b.(none)\n")
	f.Add("CentOS Linux release 7.9.2009 (Core)\n")
	f.Add("ID=\"centos\"\nVERSION_ID=\"7\"\n")
	f.Add("error: Failed dependencies:\n\tx >= 1 is needed by (installed) y-1-1.noarch\n")
	f.Add("Error: Package: a-1-1.noarch (kubecrate)\n           Requires: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, list := range parseInstalled(text) {
			for i, n := range list {
				if n.Name != name || i > 0 && list[i-1].Compare(n.EVR) < 0 {
					t.Errorf("%v is out of order", list)
				}
			}
		}
		for _, p := range parseInventory(text) {
			if strings.ContainsAny(p, " \n(/") {
				t.Errorf("package %q", p)
			}
		}
		if s, major, minor := identify(text, text); s.Name == "" || major < 0 || minor < -1 {
			t.Errorf("%+v, %d, %d", s, major, minor)
		}
		for _, n := range parseNeeds(text) {
			if n.what == "" || n.by == "" {
				t.Errorf("%+v", n)
			}
		}
		if err := el7().explain(&host.CommandError{Argv: []string{"yum"}, Err: errors.New("exit status 1")}, text); err == nil {
			t.Error("no error")
		}
	})
}

// FuzzPrimary: the bundle's metadata is verified, and still read with care.
func FuzzPrimary(f *testing.F) {
	f.Add([]byte(`<metadata><package type="rpm"><name>a</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/><format><rpm:conflicts><rpm:entry name="b" flags="LT" ver="2"/></rpm:conflicts><file>/usr/bin/a</file></format></package></metadata>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write(text)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		_, _ = readPrimary(t.Context(), fstest.MapFS{"rpms/repodata/primary.xml.gz": {Data: packed.Bytes()}})
	})
}

// TestRecordText: the record of a host is the text that earlier releases wrote.
func TestRecordText(t *testing.T) {
	t.Parallel()
	const text = `{"packages":{"docker-ce.x86_64":{"nevra":"docker-ce-3:18.06.3.ce-3.el7.x86_64"},` +
		`"kubelet.x86_64":{"nevra":"kubelet-1.17.4-0.x86_64","was":"kubelet-1.17.3-0.x86_64"}},"running":["kubelet-1.17.4-0.x86_64"]}`
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.Packages["docker-ce.x86_64"]; c.NEVRA.Epoch != "3" || c.Was != (nevra.NEVRA{}) {
		t.Errorf("%+v", c)
	}
	if got, err := json.Marshal(r); err != nil || string(got) != text {
		t.Errorf("%s, %v", got, err)
	}
}
