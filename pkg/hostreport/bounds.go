package hostreport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"kubecrate/pkg/facts"
)

// Limits of the lists in a report. What New makes is within them.
const (
	maxInterfaces  = 256
	maxAddresses   = 512 // of all interfaces
	maxRoutes      = 512
	maxNameservers = 16
	maxDisks       = 32
	maxPackages    = 10000
	maxText        = 512 // bytes of any other string
)

// New is f as a host leaves it on the stick, with what became of it: without
// what containers added, and each list within its limit.
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

// bounded says which limit a report is over, or what in it has no form.
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
			return fmt.Errorf("it lists %d %s, and at most %d are read", l.have, l.what, l.most)
		}
	}
	if slices.ContainsFunc(r.texts(), func(s string) bool { return len(s) > maxText }) {
		return fmt.Errorf("it has a text of over %d bytes", maxText)
	}
	return r.formed()
}

// texts are the strings of r that have no form of their own.
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

// formed says what in r is not what it is called.
func (r *Report) formed() error {
	for _, i := range r.Interfaces {
		if !isInterface(i.Name) {
			return errors.New("the name of an interface is none")
		}
		for _, a := range i.Addresses {
			if !a.Prefix.IsValid() || !a.Prefix.Addr().Is4() || len(a.Scope) > maxInterface {
				return fmt.Errorf("an address of %s is none", i.Name)
			}
		}
	}
	for _, to := range r.Routes {
		if !isInterface(to.Interface) || !to.Destination.IsValid() || !to.Destination.Addr().Is4() {
			return errors.New("a route leads nowhere")
		}
	}
	for _, n := range r.Nameservers {
		if _, err := netip.ParseAddr(n); err != nil {
			return errors.New("the address of a nameserver is none")
		}
	}
	return nil
}

// maxInterface is the longest name of an interface (IFNAMSIZ without its end).
const maxInterface = 15

func isInterface(name string) bool { return isName(name) && len(name) <= maxInterface }
