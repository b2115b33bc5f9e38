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

// configText is all the configuration that the manager gets: settings that a
// host has for itself (assumeno, other reposdirs, tsflags that leave scripts out,
// exclusions, plugins that lock versions or reach for the network, a proxy, a
// limit of kernels) would stop an installation or change what it does. The
// repository is in it, too, so that no other repository's file is read.
//
// Obsoletes count: what an obsolete of the bundle would remove is named before
// (see conflicts), and an older package is not in the bundle beside a newer one that
// replaces it, as it is in docker's repository. Packages that the host protects
// from removal (yum's and dnf's protected.d) stay protected.
func (d Distro) configText() string {
	return "[main]\n" +
		"cachedir=" + cacheDir + "\n" +
		"reposdir=" + step.Dir + "/yum.repos.d\n" + // which is never made
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
