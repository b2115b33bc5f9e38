package hostreport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"kubecrate/pkg/facts"
)

// Limits of the lists in a report. New stays within them.
const (
	maxInterfaces  = 256
	maxAddresses   = 512 // of all interfaces
	maxRoutes      = 512
	maxNameservers = 16
	maxDisks       = 32
	maxPackages    = 10000
	maxText        = 512 // bytes of any other string
)

// New returns the report of f with the result of the installation: without the
// interfaces and routes that containers added, each list truncated to its limit.
func New(f *facts.Facts, result Result) *Report {
	s := &Report{Facts: *f, Result: &result}
	s.Interfaces, s.Routes = nil, nil
	free := maxAddresses
	for _, i := range f.Interfaces {
		if f.Cluster(i.Name) || f.Virtual(i.Name) && len(i.Addresses) == 0 || len(s.Interfaces) == maxInterfaces {
			continue
		}
		i.Addresses = i.Addresses[:min(len(i.Addresses), free)]
		free -= len(i.Addresses)
		s.Interfaces = append(s.Interfaces, i)
	}
	for _, r := range f.Routes {
		if !f.Cluster(r.Interface) && len(s.Routes) < maxRoutes {
			s.Routes = append(s.Routes, r)
		}
	}
	s.Nameservers = f.Nameservers[:min(len(f.Nameservers), maxNameservers)]
	s.Disks = f.Disks[:min(len(f.Disks), maxDisks)]
	s.Packages = f.Packages[:min(len(f.Packages), maxPackages)]
	return s
}

// bounded returns an error if a report exceeds a limit or contains an invalid value.
func (r *Report) bounded() error {
	addresses := 0
	for _, i := range r.Interfaces {
		addresses += len(i.Addresses)
	}
	for _, l := range []struct {
		what       string
		have, most int
	}{
		{"interfaces", len(r.Interfaces), maxInterfaces}, {"addresses", addresses, maxAddresses}, {"routes", len(r.Routes), maxRoutes},
		{"nameservers", len(r.Nameservers), maxNameservers}, {"disks", len(r.Disks), maxDisks}, {"packages", len(r.Packages), maxPackages},
	} {
		if l.have > l.most {
			return fmt.Errorf("it lists %d %s, more than the limit of %d", l.have, l.what, l.most)
		}
	}
	if slices.ContainsFunc(r.texts(), func(s string) bool { return len(s) > maxText }) {
		return fmt.Errorf("it contains a string of over %d bytes", maxText)
	}
	return r.formed()
}

// texts returns the free-form strings of r.
func (r *Report) texts() []string {
	list := []string{r.Timezone, r.Kernel, r.Arch, r.SELinux, r.ProductUUID, r.MachineID, r.BootID, r.OS.ID, r.OS.Version, r.OS.Pretty}
	for _, d := range r.Disks {
		list = append(list, d.Path, d.Mount, d.Type)
	}
	for _, i := range r.Interfaces {
		list = append(list, i.MAC, i.State)
	}
	if to := r.Result; to != nil {
		list = append(list, to.Bundle, string(to.Role), to.Says)
	}
	return append(list, r.Packages...)
}

// formed returns an error if a value in r is invalid.
func (r *Report) formed() error {
	for _, i := range r.Interfaces {
		if !isInterface(i.Name) {
			return errors.New("it contains an invalid interface name")
		}
		for _, a := range i.Addresses {
			if !a.Prefix.IsValid() || !a.Prefix.Addr().Is4() || len(a.Scope) > maxInterface {
				return fmt.Errorf("it contains an invalid address of %s", i.Name)
			}
		}
	}
	for _, to := range r.Routes {
		if !isInterface(to.Interface) || !to.Destination.IsValid() || !to.Destination.Addr().Is4() {
			return errors.New("it contains an invalid route")
		}
	}
	for _, n := range r.Nameservers {
		if _, err := netip.ParseAddr(n); err != nil {
			return errors.New("it contains an invalid nameserver address")
		}
	}
	return nil
}

// maxInterface is the longest name of an interface (IFNAMSIZ without the NUL).
const maxInterface = 15

func isInterface(name string) bool { return isName(name) && len(name) <= maxInterface }
