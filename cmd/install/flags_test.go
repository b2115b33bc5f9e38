package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/install/target"
)

// TestFlagsKeepDefaults: no verb changes the defaults of another.
func TestFlagsKeepDefaults(t *testing.T) {
	t.Parallel()
	root := newApp(io.Discard, io.Discard).root()
	for line, want := range map[string]string{
		"run wait": "", "plan wait": "", "preflight wait": "", "smoke wait": "10m0s", "run ticket-ttl": "24h0m0s", "ticket ttl": "24h0m0s",
		"run no-smoke": "false", "run role": "", "load role": "", "status ticket": "", "ticket ticket": "", "plan ticket": "",
	} {
		verb, flag, _ := strings.Cut(line, " ")
		c, _, err := root.Find([]string{verb})
		if err != nil || c.Flag(flag) == nil || c.Flag(flag).Value.String() != want {
			t.Errorf("--%s of %s before any flag: %v, want %q", flag, verb, err, want)
		}
	}
}

// TestHostFlags: the flags reach the request of their own verb only.
func TestHostFlags(t *testing.T) {
	t.Parallel()
	c := &cobra.Command{}
	flags, other := addHostFlags(c), addHostFlags(&cobra.Command{})
	args := "--role node --hostname n --advertise-address 10.0.0.1 --interface eth1 --endpoint e --pod-cidr p --service-cidr s --proxy-mode m --hosts a=1,b=2 --cluster c " +
		"--ticket t --master h --token k --ca-cert-hash x --identity i"
	if err := c.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	got, err := flags.request()
	want := target.Request{Role: "node", ClusterFile: "c", Hosts: []string{"a=1", "b=2"}, Hostname: "n", Address: "10.0.0.1", Interface: "eth1", Endpoint: "e", PodCIDR: "p",
		ServiceCIDR: "s", ProxyMode: "m", Join: target.Join{Ticket: "t", Master: "h", Token: "k", CACertHash: []string{"x"}}, Identity: "i"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := other.request(); err != nil || !reflect.DeepEqual(got, target.Request{}) {
		t.Errorf("another verb's: %+v, %v", got, err)
	}
}

// TestWrongUse: a wrong command line exits with 2, with or without an archive, and
// suggests a correction.
func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, says string }{
		{"verify /mnt/usb/x-amd64.tar.zst", "hint: ./install verify --archive /mnt/usb/x-amd64.tar.zst\n"},
		{"verify /mnt/usb/x-amd64.tar.zst.001", "--archive /mnt/usb/x-amd64.tar.zst.001\n"},
		{"preflight --role node --skip-preflight oss", `unknown check "oss", did you mean "os"?`},
		{"ticket --ttl -5s", "want a second or more"},
		{"ticket --ttl 0", "want a second or more"},
		{"smoke --wait 10", "missing unit"},
		{"run --role master --ticket-ttl -1h", "want a second or more"},
		{"--role node --wait -5s", "want a second or more"},
		{"--rol node", "did you mean --role?"},
		{"plan --role nod", "hint: ./install plan --help\n"},
	} {
		var out, err strings.Builder
		a := newApp(&out, &err)
		if code := cli.Run(a.root(), &a.out, strings.Fields(c.line)); code != cli.ExitUsage || !strings.Contains(err.String(), c.says) {
			t.Errorf("%s: %d, %s", c.line, code, err.String())
		}
	}
	for _, line := range []string{"version --output json", "--version --output json"} {
		var out strings.Builder
		a := newApp(&out, io.Discard)
		if code := cli.Run(a.root(), &a.out, strings.Fields(line)); code != cli.ExitDone || !strings.HasPrefix(out.String(), `{"kind":"version","time":"`) || !strings.Contains(out.String(), `"program":"install","version":"`) {
			t.Errorf("%s: %d, %q", line, code, out.String())
		}
	}
}
