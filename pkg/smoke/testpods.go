package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	namespace = "kubecrate-smoke"
	webName   = "web" // of the DaemonSet and the service
	webPort   = 80
	ownerKey  = "app.kubernetes.io/managed-by"
	ownerName = "kubecrate"
)

// The test objects: a web server on every node, whatever its taints, and a service in
// front of them.
type (
	manifest struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Spec       any      `json:"spec,omitempty"`
		Items      []any    `json:"items,omitempty"`
	}
	daemonSetSpec struct {
		Selector selector `json:"selector"`
		Template struct {
			Metadata metadata `json:"metadata"`
			Spec     podSpec  `json:"spec"`
		} `json:"template"`
	}
	selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	}
	podSpec struct {
		Containers   []container  `json:"containers"`
		Tolerations  []toleration `json:"tolerations"`
		GraceSeconds int          `json:"terminationGracePeriodSeconds"`
		AccountToken bool         `json:"automountServiceAccountToken"`
	}
	container struct {
		Name       string `json:"name"`
		Image      string `json:"image"`
		PullPolicy string `json:"imagePullPolicy"`
		Ports      []port `json:"ports"`
	}
	port struct {
		ContainerPort int `json:"containerPort,omitempty"`
		Port          int `json:"port,omitempty"`
	}
	toleration struct {
		Operator string `json:"operator"`
	}
	serviceSpec struct {
		Type     string            `json:"type"`
		Selector map[string]string `json:"selector"`
		Ports    []port            `json:"ports"`
	}
)

// objects returns the manifest of the test. Images are never pulled, so a missing one
// is detected at once.
func objects(image string) ([]byte, error) {
	labels := map[string]string{"app": namespace}
	daemons := daemonSetSpec{Selector: selector{labels}}
	daemons.Template.Metadata.Labels = labels
	daemons.Template.Spec = podSpec{
		Containers:   []container{{Name: webName, Image: image, PullPolicy: "Never", Ports: []port{{ContainerPort: webPort}}}},
		Tolerations:  []toleration{{Operator: "Exists"}},
		GraceSeconds: 1,
	}
	return json.Marshal(manifest{APIVersion: "v1", Kind: "List", Items: []any{
		manifest{APIVersion: "v1", Kind: "Namespace", Metadata: metadata{Name: namespace, Labels: map[string]string{ownerKey: ownerName}}},
		manifest{APIVersion: "apps/v1", Kind: "DaemonSet", Metadata: metadata{Name: webName, Namespace: namespace}, Spec: daemons},
		manifest{APIVersion: "v1", Kind: "Service", Metadata: metadata{Name: webName, Namespace: namespace},
			Spec: serviceSpec{Type: "NodePort", Selector: labels, Ports: []port{{Port: webPort}}}},
	}})
}

// checkPods creates the test pods and waits until one is running on every Ready node.
func (s *session) checkPods(ctx context.Context) Check {
	if len(s.nodes) == 0 {
		return skip("no node is Ready")
	}
	if err := s.remove(ctx); err != nil { // left by a killed run
		return because(err)
	}
	text, err := objects(s.Image)
	if err != nil {
		return because(err)
	}
	s.made = true
	if err := s.k.Change(ctx, s.h, text, "create", "--filename=-"); err != nil {
		return because(fmt.Errorf("cannot create the test pods: %w", err))
	}
	var waiting []*pod // by node; nil where there is none
	var last error
	s.until(ctx, "pods", s.Wait, func(ctx context.Context) (bool, string) {
		var done bool
		if waiting, done, last = s.testPods(ctx); last != nil {
			return false, last.Error()
		}
		return done, s.waitingFor(waiting)
	})
	if last != nil {
		return because(last)
	}
	troubles, err := s.podTroubles(ctx, waiting)
	if err != nil {
		return because(err)
	}
	if _, err := s.k.Get(ctx, s.h, &s.service, nil, "service", webName, "--namespace="+namespace); err != nil {
		return because(err)
	}
	return or(troubles, good("%s on %s", count(len(s.pods), "pod", "pods"), count(len(s.nodes), "node", "nodes")))
}

// testPods finds the pod of every node and stores those that are Ready. done means
// that waiting does not help any more.
func (s *session) testPods(ctx context.Context) (waiting []*pod, done bool, err error) {
	var list struct{ Items []pod }
	if _, err := s.k.Get(ctx, s.h, &list, nil, "pods", "--namespace="+namespace); err != nil {
		return nil, false, err
	}
	s.pods, waiting, done = nil, make([]*pod, len(s.nodes)), true
	for i, n := range s.nodes {
		at := slices.IndexFunc(list.Items, func(p pod) bool {
			return p.Spec.NodeName == n.Metadata.Name && p.Metadata.DeletionTimestamp == ""
		})
		if at < 0 {
			done = false
			continue
		}
		waiting[i] = &list.Items[at]
		if waiting[i].unready() == "" {
			s.pods = append(s.pods, list.Items[at])
		} else if waiting[i].reason() != "ErrImageNeverPull" {
			done = false
		}
	}
	return waiting, done, nil
}

func (s *session) waitingFor(waiting []*pod) string {
	for i, p := range waiting {
		switch {
		case p == nil:
			return fmt.Sprintf("no pod on %s yet", s.nodes[i].Metadata.Name)
		case p.unready() != "":
			return fmt.Sprintf("the pod on %s: %s", s.nodes[i].Metadata.Name, p.unready())
		}
	}
	return ""
}

// podTroubles reports why pods do not start, with the kubelet's last warning.
func (s *session) podTroubles(ctx context.Context, waiting []*pod) ([]trouble, error) {
	var troubles []trouble
	var events struct{ Items []event }
	if len(s.pods) < len(s.nodes) {
		if _, err := s.k.Get(ctx, s.h, &events, nil, "events", "--namespace="+namespace); err != nil {
			return nil, err
		}
	}
	for i, p := range waiting {
		name := s.nodes[i].Metadata.Name
		if p == nil {
			troubles = append(troubles, trouble{fmt.Sprintf("no pod was scheduled on %s", name),
				"kubectl --namespace=kube-system get pods: kube-controller-manager and kube-scheduler must be running"})
			continue
		}
		why := p.unready()
		switch {
		case why == "":
			if t, wrong := s.strayAddress(p); wrong {
				troubles = append(troubles, t)
			}
			continue
		case p.reason() == "ErrImageNeverPull":
			troubles = append(troubles, trouble{fmt.Sprintf("%s has no image %s", name, s.Image), fmt.Sprintf("on %s: ./install load", name)})
			continue
		}
		if said := complaint(events.Items, p.Metadata.Name); said != "" && !strings.Contains(why, said) {
			why += "; " + said
		}
		troubles = append(troubles, trouble{fmt.Sprintf("the pod on %s did not start: %s", name, why), s.podHint(p, why)})
	}
	return troubles, nil
}

// complaint returns the last warning about a pod.
func complaint(events []event, pod string) string {
	var last event
	for _, e := range events {
		if e.Type == "Warning" && e.InvolvedObject.Name == pod && e.LastTimestamp >= last.LastTimestamp {
			last = e
		}
	}
	return last.Message
}

var errForeign = errors.New("namespace " + namespace + " exists and was not created by install")

// remove deletes the test objects and waits until they are gone.
func (s *session) remove(ctx context.Context) error {
	var last error
	asked := false
	gone := s.until(ctx, "cleanup", removeTime, func(ctx context.Context) (bool, string) {
		var ns struct{ Metadata metadata }
		found, err := s.k.Get(ctx, s.h, &ns, nil, "namespace", namespace)
		if last = err; err != nil || !found {
			return !found && err == nil, fmt.Sprint(err)
		}
		if ns.Metadata.Labels[ownerKey] != ownerName {
			last = errForeign
			return true, ""
		}
		if !asked {
			if last = s.k.Change(ctx, s.h, nil, "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"); last != nil {
				return false, last.Error()
			}
			asked = true
		}
		return false, "namespace " + namespace + " is being removed"
	})
	switch {
	case last != nil:
		return fmt.Errorf("cannot remove the test pods: %w", last)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !gone:
		return fmt.Errorf("namespace %s still exists after %s", namespace, removeTime)
	}
	return nil
}

const removeHint = "kubectl delete namespace " + namespace

// checkCleanup removes the test objects.
func (s *session) checkCleanup(ctx context.Context) Check {
	if !s.made {
		return skip("nothing to remove")
	}
	if err := s.remove(ctx); err != nil {
		return bad(removeHint, "%v", err)
	}
	s.made = false
	return good("test pods removed")
}

// abandon removes the test objects when a run ends early. It waits only until the
// API server has accepted the deletion.
func (s *session) abandon(ctx context.Context) {
	if !s.made {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), execTime)
	defer cancel()
	// The next run removes what remains.
	_ = s.k.Change(ctx, s.h, nil, "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
}
