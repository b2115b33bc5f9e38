package kubeadm

import (
	"context"
	"errors"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
)

// through is the API server as a kubeconfig of the host reaches it.
func through(kubeconfig string) kubectl.Client { return kubectl.Client{Kubeconfig: kubeconfig} }

// healthy returns nil if the API server reports that it is healthy.
func healthy(ctx context.Context, h *host.Host, kubeconfig string) error {
	_, err := through(kubeconfig).Raw(ctx, h, "/healthz")
	return err
}

// waitHealthy waits for the API server that a kubeconfig names.
func (o *Options) waitHealthy(ctx context.Context, h *host.Host, stage, kubeconfig string, most time.Duration) error {
	limits := o.Limits.withDefaults()
	begun := time.Now()
	for first := true; ; first = false {
		err := healthy(ctx, h, kubeconfig)
		if err == nil || host.NotFound(err) || ctx.Err() != nil || time.Since(begun) > most {
			return err
		}
		if first {
			o.note(stage, "waiting up to %s for the API server", most)
		}
		if err := sleep(ctx, limits.Poll); err != nil {
			return err
		}
	}
}

// apiNode is a Node, as far as it is read.
type apiNode struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

// controlPlane reports whether kubeadm marked the node as a master, which it does last.
func (n *apiNode) controlPlane() bool {
	_, now := n.Metadata.Labels["node-role.kubernetes.io/control-plane"]
	_, before := n.Metadata.Labels["node-role.kubernetes.io/master"]
	return now || before
}

// ready is "" for a Ready node, otherwise the reason why it is not.
func (n *apiNode) ready() string {
	for _, c := range n.Status.Conditions {
		switch {
		case c.Type != "Ready":
		case c.Status == "True":
			return ""
		case c.Message != "":
			return c.Message
		default:
			return "Ready is " + c.Status
		}
	}
	return "it has not reported yet"
}

func nodePath(name string) string { return "/api/v1/nodes/" + name }

// otherNodes lists the nodes of the cluster except one.
func otherNodes(ctx context.Context, h *host.Host, kubeconfig, name string) ([]string, error) {
	var list struct {
		Items []apiNode `json:"items"`
	}
	if err := through(kubeconfig).Object(ctx, h, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	var others []string
	for _, n := range list.Items {
		if n.Metadata.Name != name {
			others = append(others, n.Metadata.Name)
		}
	}
	return others, nil
}

// initialised reports whether kubeadm init finished, by the objects that it
// creates: the addons come last, and of them kube-proxy's permissions. missing is
// the first object that does not exist.
func initialised(ctx context.Context, h *host.Host, node string) (missing string, err error) {
	const rbac = "/apis/rbac.authorization.k8s.io/v1"
	for _, path := range []string{
		nodePath(node),
		"/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
		"/api/v1/namespaces/kube-public/configmaps/cluster-info",
		"/apis/apps/v1/namespaces/kube-system/deployments/coredns",
		"/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
		rbac + "/clusterrolebindings/kubeadm:node-proxier",
		rbac + "/namespaces/kube-system/rolebindings/kube-proxy",
	} {
		switch _, err := through(AdminConf).Raw(ctx, h, path); {
		case errors.Is(err, kubectl.ErrAbsent):
			return path, nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}
