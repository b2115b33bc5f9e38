package kubeadm

import (
	"fmt"
	"strconv"
	"strings"

	"kubecrate/pkg/hint"
)

// release is a Kubernetes version as far as something depends on it.
type release struct{ major, minor int }

// The first and the oldest minor of what changed.
const (
	oldestMinor    = 15 // kubeadm.k8s.io/v1beta2 begins
	v1beta3Minor   = 22
	socketURLMinor = 24 // sockets are URLs
	v1beta4Minor   = 31 // extraArgs is a list
	configGroup    = "kubeadm.k8s.io/"
	onlyMajor      = 1
)

// parseRelease reads "v1.17.4".
func parseRelease(version string) (release, error) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) == 3 {
		major, err := strconv.Atoi(parts[0])
		minor, merr := strconv.Atoi(parts[1])
		if err == nil && merr == nil && major >= 0 && minor >= 0 {
			return release{major, minor}, nil
		}
	}
	return release{}, fmt.Errorf("%q is not a Kubernetes version such as v1.17.4", version)
}

// configVersion is the apiVersion that kubeadm of the release reads: v1beta2
// from 1.15, v1beta3 from 1.22, v1beta4 from 1.31 on (kubeadm's own apis).
func (r release) configVersion() (string, error) {
	switch {
	case r.major != onlyMajor || r.minor < oldestMinor:
		return "", hint.With(fmt.Errorf("kubeadm %d.%d is too old", r.major, r.minor), "bundle Kubernetes 1.%d or later", oldestMinor)
	case r.minor < v1beta3Minor:
		return configGroup + "v1beta2", nil
	case r.minor < v1beta4Minor:
		return configGroup + "v1beta3", nil
	}
	return configGroup + "v1beta4", nil
}

// criSocket is the runtime's socket as kubeadm of a release calls it. Before 1.24
// it knows one by an exact path.
func (o *Options) criSocket(r release) string {
	path := strings.TrimPrefix(o.Socket, "unix://")
	if r.minor >= socketURLMinor {
		return "unix://" + path
	}
	return o.Runtimes.Canonical(path)
}

// argsAreList says that extraArgs is a list of names and values, not a map.
func (r release) argsAreList() bool { return r.minor >= v1beta4Minor }
