package preflight_test

import (
	"testing"

	"kubecrate/pkg/preflight"
)

// TestProxy: a proxy between the kubelet and the API server stops; one of the
// shell is said, and nothing else.
func TestProxy(t *testing.T) {
	t.Parallel()
	const (
		dropIn  = "/etc/systemd/system/kubelet.service.d/proxy.conf"
		manager = "/etc/systemd/system.conf"
	)
	file := func(pairs ...string) func(*env) { return func(e *env) { e.m.Write(e.t, pairs...) } }
	shell := func(pairs ...string) func(*env) { return func(e *env) { e.o.Environ = append(pairs, "HOME=/root") } }
	const says, ok = "the kubelet would use it", "no proxy between"
	for _, c := range []change{
		{"proxy", shell("https_proxy=http://10.0.0.1:3128", "HTTP_PROXY="), preflight.Warning, "(https_proxy): install ignores it", "unset https_proxy"},
		{"proxy", shell("HTTPS_PROXY=http://10.0.0.1:3128", "no_proxy=localhost,192.168.4.11"), preflight.OK, ok, ""},
		{"proxy", shell("HTTPS_PROXY=http://10.0.0.1:3128", "NO_PROXY=10.0.0.0/8, 192.168.0.0/16"), preflight.OK, ok, ""},
		{"proxy", shell("https_proxy="), preflight.OK, ok, ""},
		{"proxy", file(dropIn, "[Service]\nEnvironment=\"A=b c\" 'HTTPS_PROXY=http://user:secret@10.0.0.1:3128'\n"), preflight.Failed, dropIn + " sets an HTTP proxy (HTTPS_PROXY): " + says, "remove it from " + dropIn + ", or add 192.168.4.11 to NO_PROXY"},
		{"proxy", file(dropIn, "[Service]\nEnvironment=HTTPS_PROXY=http://10.0.0.1:3128 \\\n  NO_PROXY=.local,192.168.4.11\n"), preflight.OK, ok, ""},
		{"proxy", func(e *env) {
			joining(e)
			e.o.Ticket.Endpoint = "api.cluster.local:6443"
			file(dropIn, "Environment=HTTPS_PROXY=http://10.0.0.1:3128 NO_PROXY=.local\n")(e)
		}, preflight.OK, ok, ""},
		{"proxy", func(e *env) {
			joining(e)
			file(dropIn, "Environment=HTTPS_PROXY=http://10.0.0.1:3128 NO_PROXY=192.168.4.12\n")(e)
		}, preflight.Failed, says, "add 192.168.4.11 to"},
		{"proxy", file(manager, "[Manager]\nDefaultEnvironment=https_proxy=http://10.0.0.1:3128\n"), preflight.Failed, manager + " sets", "daemon-reexec"},
		{"proxy", file("/etc/systemd/system/kubelet.service", "[Service]\nEnvironmentFile=-/etc/environment\n", "/etc/environment", "#x\nexport https_proxy=\"http://10.0.0.1:3128\"\n"), preflight.Failed, "/etc/environment sets", ""},
		{"proxy", file("/etc/environment", "https_proxy=http://10.0.0.1:3128\n", dropIn+".off", "Environment=https_proxy=http://10.0.0.1:3128\n"), preflight.OK, ok, ""},
		// What only reaches for images, which the bundle brings, is in nobody's way.
		{"proxy", file("/etc/systemd/system/docker.service.d/http-proxy.conf", "[Service]\nEnvironment=HTTPS_PROXY=http://10.0.0.1:3128\n"), preflight.OK, ok, ""},
	} {
		c.test(t)
	}
}
