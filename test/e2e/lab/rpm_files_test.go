package lab

import "testing"

func TestRPMFile(t *testing.T) {
	for _, tt := range []struct {
		file            RPMFile
		install, listed string
	}{
		{executable("/usr/bin/x", "/cache/x"), "install -D -m 0644 '/cache/x' '%{buildroot}/usr/bin/x'\n", "%attr(0755,root,root) /usr/bin/x\n"},
		{RPMFile{Path: "/etc/x", Text: "a\n", Config: true}, "mkdir -p %{buildroot}/etc\ncat > %{buildroot}/etc/x <<'LAB'\na\nLAB\n",
			"%attr(0644,root,root) %config(noreplace) /etc/x\n"},
		{RPMFile{Path: "/var/lib/x", Owner: "x"}, "mkdir -p %{buildroot}/var/lib/x\n", "%attr(0755,x,x) %dir /var/lib/x\n"},
		{RPMFile{Path: "/usr/sbin/y", Link: "x"}, "mkdir -p %{buildroot}/usr/sbin\nln -s x %{buildroot}/usr/sbin/y\n", "/usr/sbin/y\n"},
	} {
		if got := tt.file.install(); got != tt.install {
			t.Errorf("install of %s: %q, want %q", tt.file.Path, got, tt.install)
		}
		if got := tt.file.listed(); got != tt.listed {
			t.Errorf("listed of %s: %q, want %q", tt.file.Path, got, tt.listed)
		}
	}
}
