package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/host"
)

func TestProcesses(t *testing.T) {
	t.Parallel()
	const root, user, setuid = "0\t0\t0\t0", "1000\t1000\t1000\t1000", "1000\t0\t0\t0"
	h := &host.Host{Root: t.TempDir()}
	for pid, p := range map[string]struct{ uids, exe, cmdline string }{
		"1":   {root, "/usr/lib/systemd/systemd", "/sbin/init\x00"},
		"2":   {root, "", ""}, // a thread of the kernel
		"10":  {root, "/usr/bin/python2.7", "/usr/bin/python\x00/usr/bin/yum\x00update\x00"},
		"11":  {user, "/usr/bin/python3.6", "/usr/bin/python3\x00-s\x00/usr/bin/dnf\x00"},
		"12":  {root, "/usr/bin/python3.6 (deleted)", "python3\x00-c\x00import time\x00/usr/bin/yum\x00"},
		"13":  {setuid, "/usr/bin/su", "yum\x00--enablerepo=kubecrate\x00"},
		"14":  {root, "/usr/bin/python3.6", "python3\x00"},
		"net": {root, "/usr/bin/yum", "yum\x00"},
	} {
		dir := filepath.Join(h.Root, "proc", pid)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"cmdline": p.cmdline, "status": "Name:\tx\nUid:\t" + p.uids + "\nGid:\t0\t0\t0\t0\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if p.exe != "" {
			if err := os.Symlink(p.exe, filepath.Join(dir, "exe")); err != nil {
				t.Fatal(err)
			}
		}
	}
	list, err := h.Processes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		whose := "a user's "
		if p.Root {
			whose = "root's "
		}
		got = append(got, whose+p.Program+": "+p.CommandLine())
	}
	want := []string{
		"root's systemd: /sbin/init",
		"root's yum: /usr/bin/python /usr/bin/yum update",
		"a user's dnf: /usr/bin/python3 -s /usr/bin/dnf",
		"root's python3.6: python3 -c import time /usr/bin/yum",
		"a user's su: yum --enablerepo=kubecrate",
		"root's python3.6: python3",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, ok := h.Process(4711); ok {
		t.Error("a process that is not there")
	}
}

func TestSocketOwner(t *testing.T) {
	t.Parallel()
	h := &host.Host{Root: t.TempDir()}
	for path, to := range map[string]string{"proc/7/fd/3": "socket:[99]", "proc/8/fd/0": "/dev/null", "proc/8/fd/4": "socket:[100]", "proc/self/fd/1": "socket:[101]"} {
		at := filepath.Join(h.Root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	for inode, want := range map[string]string{"99": "7", "100": "8", "101": "", "9": ""} {
		if pid, err := h.SocketOwner(inode); err != nil || pid != want {
			t.Errorf("%s: %q, %v", inode, pid, err)
		}
	}
}
