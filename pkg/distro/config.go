package distro

import (
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

const (
	configFile = step.Dir + "/yum.conf"
	cacheDir   = step.Dir + "/yum-cache"
)

// configText is the complete configuration of the manager: settings of the host
// (assumeno, other reposdirs, tsflags that skip scripts, exclusions, plugins that lock
// versions or use the network, a proxy, a limit of kernels) would prevent an
// installation or change its result. It includes the repository, so that no other
// .repo file is read.
//
// Obsoletes are enabled: packages that they would remove are reported first (see
// conflicts), and a bundle does not contain an older package beside a newer one that
// obsoletes it, as docker's repository does. Packages that the host protects from
// removal (protected.d of yum and dnf) stay protected.
func (d Distro) configText() string {
	return "[main]\n" +
		"cachedir=" + cacheDir + "\n" +
		"reposdir=" + step.Dir + "/yum.repos.d\n" + // never created
		"plugins=0\n" +
		"obsoletes=1\n" +
		"keepcache=0\n" +
		"multilib_policy=best\n" +
		"installonly_limit=0\n" +
		"clean_requirements_on_remove=0\n" +
		"gpgcheck=1\n\n" +
		strings.Replace(d.repoText(), "enabled=0\n", "enabled=1\n", 1)
}

// configure writes the manager's configuration.
func (s packages) configure(h *host.Host) error {
	return h.State().Store(configFile, strings.NewReader(s.distro.configText()), host.FileMode)
}
