package kubectl_test

import (
	"errors"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/software/softwaretest"
)

func TestGet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, out, stderr string
		found             bool
		err, hint         string
	}{
		{name: "found", out: `{"metadata":{"name":"n"}}`, found: true},
		{name: "nothing", out: "\n"},
		{name: "not JSON", out: "<html>", err: "cannot read what kubectl get node n --output=json --ignore-not-found printed"},
		{name: "down", stderr: "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", err: "was refused", hint: "systemctl status kubelet"},
		{name: "unreachable", stderr: "Unable to connect to the server: dial tcp: i/o timeout", err: "i/o timeout", hint: "the API server does not answer"},
		{name: "another cluster", stderr: "Unable to do it: x509: certificate signed by unknown authority", err: "x509", hint: "belongs to another cluster"},
		{name: "a clock", stderr: "x509: certificate has expired or is not yet valid", err: "expired", hint: "compare the clocks"},
		{name: "another error", stderr: "error: the server doesn't have a resource type", err: "resource type"},
	} {
		h, m := hosttest.New(t)
		m.Write(t, "/k.conf", "")
		m.Programs["kubectl"] = func(args []string, stdin string) (string, error) {
			if got := strings.Join(args, " "); got != "--kubeconfig=/k.conf --request-timeout=20s get node n --output=json --ignore-not-found" || stdin != "in" {
				t.Errorf("%s: called with %s and %q", c.name, got, stdin)
			}
			if c.stderr != "" {
				return c.out, &hosttest.Exit{Code: 1, Stderr: c.stderr}
			}
			return c.out, nil
		}
		var v struct{ Metadata struct{ Name string } }
		found, err := kubectl.Client{Kubeconfig: "/k.conf"}.Get(t.Context(), h, &v, []byte("in"), "node", "n")
		if found != c.found || (err != nil) != (c.err != "") || found && v.Metadata.Name != "n" {
			t.Errorf("%s: %v, %v, %+v", c.name, found, err, v)
		}
		if err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(hint.Of(err), c.hint)) {
			t.Errorf("%s: %v (%s)", c.name, err, hint.Of(err))
		}
	}
}

func TestNoCluster(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	var v any
	if _, err := (kubectl.Client{}).Get(t.Context(), h, &v, nil, "nodes"); !errors.Is(err, kubectl.ErrNoCluster) || !strings.Contains(err.Error(), kubectl.Admin) || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	m.Write(t, kubectl.Admin, "")
	h.Software = softwaretest.Hints{}
	if _, err := (kubectl.Client{}).Get(t.Context(), h, &v, nil, "nodes"); !strings.Contains(hint.Of(err), "bring kubectl") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}

// TestObject: what is not there, and an API server that cannot be asked, are told
// from what else may be wrong.
func TestObject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, out, stderr string
		is                error
		err               string
	}{
		{name: "found", out: `{"metadata":{"name":"n"}}`},
		{name: "absent", stderr: `Error from server (NotFound): nodes "n" not found`, is: kubectl.ErrAbsent, err: "does not have it"},
		{name: "refused", stderr: "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", is: kubectl.ErrUnreached, err: "does not answer: kubectl"},
		{name: "no answer", stderr: "Unable to connect to the server: dial tcp: i/o timeout", is: kubectl.ErrUnreached, err: "i/o timeout"},
		{name: "another CA", stderr: "Unable to connect to the server: x509: certificate signed by unknown authority", err: "x509"},
		{name: "forbidden", stderr: "Error from server (Forbidden): nodes is forbidden", err: "Forbidden"},
		{name: "not JSON", out: "<html>", err: "cannot read the API server's answer for /api/v1/nodes/n"},
	} {
		h, m := hosttest.New(t)
		m.Programs["kubectl"] = func(args []string, _ string) (string, error) {
			if got := strings.Join(args, " "); got != "--kubeconfig=/k.conf --request-timeout=10s get --raw /api/v1/nodes/n" {
				t.Errorf("%s: called with %s", c.name, got)
			}
			if c.stderr != "" {
				return "", &hosttest.Exit{Code: 1, Stderr: c.stderr}
			}
			return c.out, nil
		}
		var v struct{ Metadata struct{ Name string } }
		err := kubectl.Client{Kubeconfig: "/k.conf"}.Object(t.Context(), h, "/api/v1/nodes/n", &v)
		if (err != nil) != (c.err != "") || err == nil && v.Metadata.Name != "n" || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %+v", c.name, err, v)
		}
		for _, sentinel := range []error{kubectl.ErrAbsent, kubectl.ErrUnreached} {
			if errors.Is(err, sentinel) != errors.Is(c.is, sentinel) {
				t.Errorf("%s: %v is %v", c.name, err, sentinel)
			}
		}
	}
}
