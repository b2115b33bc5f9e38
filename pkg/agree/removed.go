package agree

import (
	"slices"
	"strings"
)

// removal says from which minor release on an API server has a version of some
// kinds no more; kinds is empty for all of its group.
type removal struct {
	version string
	minor   int
	kinds   []string
}

// removals are those of kinds that manifests of a network hold, by the Deprecated
// API Migration Guide of kubernetes.io.
func removals() []removal {
	webhooks := []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
	return []removal{
		{"extensions/v1beta1", 16, []string{"DaemonSet", "Deployment", "ReplicaSet", "NetworkPolicy", "PodSecurityPolicy"}},
		{"extensions/v1beta1", 22, []string{"Ingress"}},
		{"apps/v1beta1", 16, nil},
		{"apps/v1beta2", 16, nil},
		{"admissionregistration.k8s.io/v1beta1", 22, webhooks},
		{"apiextensions.k8s.io/v1beta1", 22, nil},
		{"apiregistration.k8s.io/v1beta1", 22, nil},
		{"rbac.authorization.k8s.io/v1alpha1", 22, nil},
		{"rbac.authorization.k8s.io/v1beta1", 22, nil},
		{"scheduling.k8s.io/v1beta1", 22, []string{"PriorityClass"}},
		{"batch/v1beta1", 25, []string{"CronJob"}},
		{"policy/v1beta1", 25, nil},
		{"autoscaling/v2beta1", 25, nil},
		{"autoscaling/v2beta2", 26, nil},
	}
}

// applicable: the API server of the version has every kind that the network's
// manifest holds, or the network would not come up.
func (b *Bundle) applicable(f *findings) {
	minor, _, ok := b.minor()
	if b.Manifests == nil || !ok {
		return
	}
	var gone []string
	for _, o := range b.Manifests.Objects {
		for _, r := range removals() {
			name := o.Kind + " of " + o.APIVersion
			if o.APIVersion == r.version && minor >= r.minor && (r.kinds == nil || slices.Contains(r.kinds, o.Kind)) && !slices.Contains(gone, name) {
				gone = append(gone, name)
			}
		}
	}
	if len(gone) > 0 {
		f.fail("name a later manifest of "+b.Network+" under files, one for Kubernetes "+b.Kubernetes,
			"kubernetes is %s, which has removed API versions that %s uses: %s", b.Kubernetes, b.Manifests.Network, strings.Join(gone, ", "))
	}
}
