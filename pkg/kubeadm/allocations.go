package kubeadm

import (
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/host"
)

// allocationDir is where CNI plugins and their callers note which container has
// which address: below networks by the network's name, and in caches by files
// whose names begin with it.
const allocationDir = "/var/lib/cni"

// setAside is where allocationDir waits while kubeadm reset empties it, which
// knows of no other user.
const setAside = allocationDir + ".kubecrate"

// hideAllocations puts what others noted out of kubeadm's way.
func hideAllocations(h *host.Host, m *record) error {
	stay, err := networkNames(h, m.CNI)
	if err != nil || len(stay) == 0 || !slices.Contains(m.Dirs, allocationDir) {
		return err
	}
	there, err := h.Exists(allocationDir)
	hidden, hiddenErr := h.Exists(setAside)
	if err := errors.Join(err, hiddenErr); err != nil || !there || hidden {
		return err
	}
	return h.Move(allocationDir, setAside)
}

// showAllocations brings them back, after a reset that was killed, too.
func showAllocations(h *host.Host) error {
	if hidden, err := h.Exists(setAside); err != nil || !hidden {
		return err
	}
	if err := h.Clear(allocationDir); err != nil {
		return err
	}
	return h.Move(setAside, allocationDir)
}

// clearAllocations removes what was noted of the cluster's pods, and leaves what
// is of networks whose configuration was there before: podman notes the
// addresses of its containers in the same place.
func clearAllocations(h *host.Host, m *record) error {
	if err := showAllocations(h); err != nil {
		return err
	}
	stay, err := networkNames(h, m.CNI)
	if err != nil {
		return err
	}
	if len(stay) == 0 || !slices.Contains(m.Dirs, allocationDir) {
		return h.ClearDir(allocationDir)
	}
	kept := func(name string) bool {
		return slices.ContainsFunc(stay, func(n string) bool { return name == n || strings.HasPrefix(name, n+"-") })
	}
	var errs []error
	for _, dir := range []string{"networks", "results", "cache/results"} {
		names, err := h.ReadDir(path.Join(allocationDir, dir))
		errs = append(errs, err)
		for _, name := range names {
			if !kept(name) {
				errs = append(errs, h.Clear(path.Join(allocationDir, dir, name)))
			}
		}
		errs = append(errs, h.RemoveEmpty(path.Join(allocationDir, dir)))
	}
	names, err := h.ReadDir(allocationDir)
	errs = append(errs, err, h.RemoveEmpty(path.Join(allocationDir, "cache")))
	for _, name := range names {
		if !slices.Contains([]string{"networks", "results", "cache"}, name) && !kept(name) {
			errs = append(errs, h.Clear(path.Join(allocationDir, name)))
		}
	}
	return errors.Join(errs...)
}

// linkDir lists the network interfaces.
const linkDir = "/sys/class/net"

// madeBridges are those of others' configurations that were not there before: a
// pod that began before the cluster's network was there made them.
func madeBridges(h *host.Host, m *record) ([]string, error) {
	if len(m.Links) == 0 { // a record of an earlier version does not tell
		return nil, nil
	}
	var list []string
	for _, file := range m.CNI {
		text, err := h.Text(path.Join(cniDir, file))
		if err != nil {
			return nil, err
		}
		type plugin struct{ Bridge string }
		var config struct {
			plugin
			Plugins []plugin
		}
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			continue // it made nothing
		}
		for _, p := range append(config.Plugins, config.plugin) {
			if p.Bridge != "" && !slices.Contains(m.Links, p.Bridge) {
				list = append(list, p.Bridge)
			}
		}
	}
	return list, nil
}

// networkNames are the names that files in /etc/cni/net.d give to networks. One
// that cannot be read names none.
func networkNames(h *host.Host, files []string) ([]string, error) {
	var list []string
	for _, file := range files {
		text, err := h.Text(path.Join(cniDir, file))
		if err != nil {
			return nil, err
		}
		var config struct{ Name string }
		if err := json.Unmarshal([]byte(text), &config); err == nil && config.Name != "" {
			list = append(list, config.Name)
		}
	}
	return list, nil
}
