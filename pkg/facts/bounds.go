package facts

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Limits of the lists in a sheet. What Sheet makes is within them.
const (
	maxInterfaces  = 256
	maxAddresses   = 512 // of all interfaces
	maxRoutes      = 512
	maxNameservers = 16
	maxDisks       = 32
	maxPackages    = 10000
	maxText        = 512 // bytes of any other string
)

// Sheet is f as a host leaves it on the stick, with what became of it: without
// what containers added, and each list within its limit.
func (f *Facts) Sheet(r *Result) *Facts {
	s := *f
	s.Result = r
	s.Interfaces, s.Routes = nil, nil
	free := maxAddresses
	for _, i := range f.Interfaces {
		if Cluster(i.Name) || i.Virtual() && len(i.Addresses) == 0 || len(s.Interfaces) == maxInterfaces {
			continue
		}
		i.Addresses = i.Addresses[:min(len(i.Addresses), free)]
		free -= len(i.Addresses)
		s.Interfaces = append(s.Interfaces, i)
	}
	for _, r := range f.Routes {
		if !Cluster(r.Interface) && len(s.Routes) < maxRoutes {
			s.Routes = append(s.Routes, r)
		}
	}
	s.Nameservers = f.Nameservers[:min(len(f.Nameservers), maxNameservers)]
	s.Disks = f.Disks[:min(len(f.Disks), maxDisks)]
	s.Packages = f.Packages[:min(len(f.Packages), maxPackages)]
	return &s
}

// bounded says which limit a sheet is over, or what in it has no form.
func (f *Facts) bounded() error {
	addresses := 0
	for _, i := range f.Interfaces {
		addresses += len(i.Addresses)
	}
	for _, l := range []struct {
		what       string
		have, most int
	}{
		{"interfaces", len(f.Interfaces), maxInterfaces}, {"addresses", addresses, maxAddresses}, {"routes", len(f.Routes), maxRoutes},
		{"nameservers", len(f.Nameservers), maxNameservers}, {"disks", len(f.Disks), maxDisks}, {"packages", len(f.Packages), maxPackages},
	} {
		if l.have > l.most {
			return fmt.Errorf("it lists %d %s, and at most %d are read", l.have, l.what, l.most)
		}
	}
	if slices.ContainsFunc(f.texts(), func(s string) bool { return len(s) > maxText }) {
		return fmt.Errorf("it has a text of over %d bytes", maxText)
	}
	return f.formed()
}

// texts are the strings of f that have no form of their own.
func (f *Facts) texts() []string {
	list := []string{f.Timezone, f.Kernel, f.Arch, f.SELinux, f.ProductUUID, f.MachineID, f.BootID, f.OS.ID, f.OS.Version, f.OS.Pretty}
	for _, d := range f.Disks {
		list = append(list, d.Path, d.Mount, d.Type)
	}
	for _, i := range f.Interfaces {
		list = append(list, i.MAC, i.State)
	}
	if r := f.Result; r != nil {
		list = append(list, r.Bundle, string(r.Role), r.Says)
	}
	return append(list, f.Packages...)
}

// formed says what in f is not what it is called.
func (f *Facts) formed() error {
	for _, i := range f.Interfaces {
		if !isInterface(i.Name) {
			return errors.New("the name of an interface is none")
		}
		for _, a := range i.Addresses {
			if !a.Prefix.IsValid() || !a.Prefix.Addr().Is4() || len(a.Scope) > maxInterface {
				return fmt.Errorf("an address of %s is none", i.Name)
			}
		}
	}
	for _, r := range f.Routes {
		if !isInterface(r.Interface) || !r.Destination.IsValid() || !r.Destination.Addr().Is4() {
			return errors.New("a route leads nowhere")
		}
	}
	for _, n := range f.Nameservers {
		if _, err := netip.ParseAddr(n); err != nil {
			return errors.New("the address of a nameserver is none")
		}
	}
	return nil
}

// maxInterface is the longest name of an interface (IFNAMSIZ without its end).
const maxInterface = 15

func isInterface(name string) bool { return isName(name) && len(name) <= maxInterface }
