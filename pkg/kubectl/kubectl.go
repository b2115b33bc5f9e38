// Package kubectl asks the API server of a cluster, and changes what it holds,
// through the kubectl of a host.
package kubectl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
)

// What kubeadm leaves on a host: the administrator's way in, on a control
// plane, and the kubelet's own, on every host.
const (
	Admin   = "/etc/kubernetes/admin.conf"
	Kubelet = "/etc/kubernetes/kubelet.conf"
)

// requestTime bounds one question to the API server.
const requestTime = "20s"

// Client is kubectl with a kubeconfig of the host, "" for Admin.
type Client struct{ Kubeconfig string }

// ErrNoCluster is that the kubeconfig is not there: this host is in no cluster
// yet, or no control plane of it.
var ErrNoCluster = errors.New("this host is in no cluster yet")

// Command is kubectl ARGS with a bound on each of its requests. It is for
// changes, which go through host.Change.
func (c Client) Command(stdin []byte, args ...string) host.Cmd {
	return c.command(stdin, append([]string{"--request-timeout=" + requestTime}, args...))
}

func (c Client) command(stdin []byte, args []string) host.Cmd {
	cmd := host.Command(append([]string{"kubectl", "--kubeconfig=" + c.file()}, args...)...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	return cmd
}

func (c Client) file() string { return cmp.Or(c.Kubeconfig, Admin) }

// Usable says whether the kubeconfig is there; the error wraps ErrNoCluster
// where it is not.
func (c Client) Usable(h *host.Host) error {
	there, err := h.Exists(c.file())
	if err == nil && !there {
		err = hint.With(fmt.Errorf("%w: %s is missing", ErrNoCluster, c.file()),
			"a cluster is made by ./install --role master, and looked at from there")
	}
	return err
}

// Get is kubectl get ARGS: what it finds is decoded into v, and left as it is
// where there is nothing, which found tells. Stdin is for objects named by
// `-f -`.
func (c Client) Get(ctx context.Context, h *host.Host, v any, stdin []byte, args ...string) (found bool, err error) {
	if err := c.Usable(h); err != nil {
		return false, err
	}
	args = append(append([]string{"get"}, args...), "--output=json", "--ignore-not-found")
	out, err := h.Run(ctx, c.Command(stdin, args...))
	if err != nil {
		return false, Explain(h, err)
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(out, v); err != nil {
		return false, fmt.Errorf("cannot read what kubectl %s printed: %w", strings.Join(args, " "), err)
	}
	return true, nil
}

// lookTime bounds one look at a path: those who wait look again.
const lookTime = "10s"

var (
	// ErrAbsent is an object that the API server does not have.
	ErrAbsent = errors.New("the API server does not have it")
	// ErrUnreached is an API server that could not be asked at all.
	ErrUnreached = errors.New("the API server does not answer")
)

// Raw gives what the API server has at a path. Paths need no discovery, and so
// leave no cache in root's home. The error is ErrAbsent where the server answers
// that there is no such thing, and wraps ErrUnreached where it cannot be asked.
func (c Client) Raw(ctx context.Context, h *host.Host, path string) ([]byte, error) {
	out, err := h.Run(ctx, c.command(nil, []string{"--request-timeout=" + lookTime, "get", "--raw", path}))
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return out, err
	}
	switch said := failed.Stderr; {
	case strings.Contains(said, "(NotFound)"):
		return nil, ErrAbsent
	case strings.Contains(said, "was refused"), strings.Contains(said, "Unable to connect") && !strings.Contains(said, "x509"):
		return nil, fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	return nil, err
}

// Object decodes what the API server has at a path into v. It fails as Raw does.
func (c Client) Object(ctx context.Context, h *host.Host, path string, v any) error {
	out, err := c.Raw(ctx, h, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, v); err != nil {
		return fmt.Errorf("cannot read what the API server says of %s: %w", path, err)
	}
	return nil
}

// Change is kubectl ARGS on a cluster; it changes nothing of the host, so that
// there is nothing to record.
func (c Client) Change(ctx context.Context, h *host.Host, stdin []byte, args ...string) error {
	_, err := h.Run(ctx, c.Command(stdin, args...))
	return Explain(h, err)
}

// Exec runs argv in the first container of a pod. Its requests have no bound of
// their own: ctx ends it. What was printed is returned with an error, too.
func (c Client) Exec(ctx context.Context, h *host.Host, namespace, pod string, argv ...string) ([]byte, error) {
	out, err := h.Run(ctx, c.command(nil, append([]string{"exec", "--namespace=" + namespace, pod, "--"}, argv...)))
	return out, Explain(h, err)
}

// Logs gives the beginning of what a pod's container wrote, most bytes at most.
func (c Client) Logs(ctx context.Context, h *host.Host, namespace, pod string, most int) ([]byte, error) {
	out, err := h.Run(ctx, c.Command(nil, "logs", "--namespace="+namespace, pod, fmt.Sprintf("--limit-bytes=%d", most)))
	return out, Explain(h, err)
}

// NoSuchKind says that an error of Get is that the cluster knows no objects of
// that kind: no CustomResourceDefinition has made it known.
func NoSuchKind(err error) bool {
	var failed *host.CommandError
	return errors.As(err, &failed) && strings.Contains(failed.Stderr, "the server doesn't have a resource type")
}

// Explain adds to an error of kubectl what fixes it, where its words tell.
func Explain(h *host.Host, err error) error {
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	if host.NotFound(err) {
		return software.Missing(h, err, "kubectl")
	}
	said := failed.Stderr
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(said, t) {
				return true
			}
		}
		return false
	}
	switch {
	case has("was refused", "connection refused", "Unable to connect to the server", "i/o timeout", "no route to host", "EOF"):
		return hint.With(err, "the API server does not answer; on the master: systemctl status kubelet; journalctl -u kubelet -n 50 shows which container ends")
	case has("certificate has expired", "not yet valid"):
		return hint.With(err, "compare the clocks with date; kubeadm alpha certs check-expiration shows the certificates")
	case has("x509:", "Unauthorized", "must be logged in"):
		return hint.With(err, "the kubeconfig is of another cluster: on a master, %s is the one of this", Admin)
	case errors.Is(err, fs.ErrPermission), has("permission denied"):
		return hint.With(err, "%s", hint.Root(""))
	}
	return err
}
