// Package kubectl reads and changes objects of a cluster through the kubectl of a
// host.
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

// The kubeconfigs that kubeadm writes: the administrator's, on a control plane, and
// the kubelet's, on every host.
const (
	Admin   = "/etc/kubernetes/admin.conf"
	Kubelet = "/etc/kubernetes/kubelet.conf"
)

// requestTime is the timeout of a request to the API server.
const requestTime = "20s"

// Client is kubectl with a kubeconfig of the host, "" for Admin.
type Client struct{ Kubeconfig string }

// ErrNoCluster means that the kubeconfig is missing: this host is not in a cluster
// yet, or not a control plane.
var ErrNoCluster = errors.New("this host is not in a cluster yet")

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

// Usable returns an error that wraps ErrNoCluster if the kubeconfig is missing.
func (c Client) Usable(h *host.Host) error {
	there, err := h.Exists(c.file())
	if err == nil && !there {
		err = hint.With(fmt.Errorf("%w: %s is missing", ErrNoCluster, c.file()),
			"./install --role master creates a cluster; run this command on a master")
	}
	return err
}

// Get is kubectl get ARGS, decoded into v. If nothing is found, v is unchanged and
// found is false. Stdin is for objects named by `-f -`.
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

// lookTime is the timeout of reading a path: callers that wait try again.
const lookTime = "10s"

var (
	// ErrAbsent means that the API server does not have the object.
	ErrAbsent = errors.New("the API server does not have it")
	// ErrUnreached means that the API server did not answer.
	ErrUnreached = errors.New("the API server does not answer")
)

// Raw returns what the API server has at a path. Paths need no discovery, and so
// leave no cache in root's home. The error is ErrAbsent if the server has no such
// object, and wraps ErrUnreached if it does not answer.
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
		return fmt.Errorf("cannot read the API server's answer for %s: %w", path, err)
	}
	return nil
}

// Change is kubectl ARGS on a cluster; it changes nothing on the host, so nothing is
// recorded.
func (c Client) Change(ctx context.Context, h *host.Host, stdin []byte, args ...string) error {
	_, err := h.Run(ctx, c.Command(stdin, args...))
	return Explain(h, err)
}

// Exec runs argv in the first container of a pod, without a timeout other than ctx.
// The output is returned with an error, too.
func (c Client) Exec(ctx context.Context, h *host.Host, namespace, pod string, argv ...string) ([]byte, error) {
	out, err := h.Run(ctx, c.command(nil, append([]string{"exec", "--namespace=" + namespace, pod, "--"}, argv...)))
	return out, Explain(h, err)
}

// Logs returns the beginning of the log of a pod's container, at most most bytes.
func (c Client) Logs(ctx context.Context, h *host.Host, namespace, pod string, most int) ([]byte, error) {
	out, err := h.Run(ctx, c.Command(nil, "logs", "--namespace="+namespace, pod, fmt.Sprintf("--limit-bytes=%d", most)))
	return out, Explain(h, err)
}

// NoSuchKind reports whether Get failed because the cluster does not have the kind:
// its CustomResourceDefinition is missing.
func NoSuchKind(err error) bool {
	var failed *host.CommandError
	return errors.As(err, &failed) && strings.Contains(failed.Stderr, "the server doesn't have a resource type")
}

// Explain adds a hint to an error of kubectl that it recognizes.
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
		return hint.With(err, "the API server does not answer; on the master: systemctl status kubelet; journalctl -u kubelet -n 50 shows which container exits")
	case has("certificate has expired", "not yet valid"):
		return hint.With(err, "compare the clocks with date; kubeadm alpha certs check-expiration shows the certificates")
	case has("x509:", "Unauthorized", "must be logged in"):
		return hint.With(err, "the kubeconfig belongs to another cluster; on a master, use %s", Admin)
	case errors.Is(err, fs.ErrPermission), has("permission denied"):
		return hint.With(err, "%s", hint.Root(""))
	}
	return err
}
