package preflight

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// nodeName is the name that the host is to have: by flag, by the cluster file, or its own.
func (o *Options) nodeName() string {
	if o.Hostname != "" {
		return o.Hostname
	}
	if self, err := facts.Self(o.Facts, o.Cluster); err == nil && self != nil {
		return self.Name
	}
	return o.Facts.Hostname
}

func hostname(_ *host.Host, o *Options, f *found) error {
	const fix = "--hostname NAME gives it another: lower-case letters, digits and dashes, such as node1"
	// A label of the node holds the name, and labels have 63 characters at most.
	const most = 63
	name := o.nodeName()
	lower := strings.ToLower(name)
	short, _, _ := strings.Cut(lower, ".")
	switch {
	case name == "" || short == "localhost" || name == "(none)":
		f.fail(fix, "the host is called %q, and every node needs a name of its own", name)
	case len(name) > most:
		f.fail(fix, "the name %s has %d characters, that of a node at most %d", name, len(name), most)
	case slices.ContainsFunc(strings.Split(lower, "."), func(l string) bool { return !isLabel(l) }):
		f.fail(fix, "%q cannot be the name of a node", name)
	case strings.Trim(lower[strings.LastIndexByte(lower, '.')+1:], "0123456789") == "":
		f.fail(fix, "the name %s is taken for an address: a part after the last dot, or a name without one, needs a letter", name)
	case name != lower:
		f.warn(fix, "the host is called %s, the node will be called %s", name, lower)
	}
	f.okIf("%s", name)
	return nil
}

// isLabel knows a label of RFC 1123 in lower case.
func isLabel(s string) bool {
	return s != "" && s[0] != '-' && s[len(s)-1] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// cluster compares the host with its entry in the cluster file.
func cluster(_ *host.Host, o *Options, f *found) error {
	if len(o.Cluster.Hosts) == 0 {
		return nil
	}
	self, err := facts.Self(o.Facts, o.Cluster)
	switch {
	case err != nil:
		f.fail(hint.Of(err), "%v", err)
	case self == nil:
		f.warn("add this host to the hosts in cluster.yaml or --hosts, if it belongs to them", "the cluster's list of hosts has no %s, and none with an address of this host", o.Facts.Hostname)
	case self.Role != o.Role:
		f.fail("--role "+string(self.Role)+", or correct the role in cluster.yaml or --hosts", "the cluster's list of hosts says that %s is a %s, not a %s", self.Name, roleName(self.Role), roleName(o.Role))
	default:
		f.ok("%s, a %s in the cluster's list of hosts", self.Name, roleName(self.Role))
	}
	return nil
}

// maxTold is how many warnings about other hosts are told of one check.
const maxTold = 6

// duplicates looks for what two hosts must not share. The other hosts are known
// by what lies on the stick, so this warns: kubeadm itself refuses a second node
// of one name.
func duplicates(_ *host.Host, o *Options, f *found) error {
	name := strings.ToLower(o.nodeName())
	macs, addresses := o.Facts.MACs(), words(o.Facts.Addresses())
	for _, other := range o.Others {
		if len(f.list) >= maxTold {
			f.warn("ls -l hosts, on the stick, lists the sheets; remove those that are not of your hosts", "and perhaps more of %s", count(len(o.Others), "sheet"))
			break
		}
		if strings.ToLower(other.Hostname) == name {
			f.warn("--hostname NAME gives this host another name", "another host is called %s too, by the sheet that it left on the stick", name)
		}
		if mac := common(macs, other.MACs()); mac != "" {
			f.warn("give one of the two another hardware address, in the settings of the virtual machine", "this host and %s have the same hardware address (MAC) %s", other.Hostname, mac)
		}
		if a := common(addresses, words(other.Addresses())); a != "" {
			f.warn("ip addr show lists the addresses of each; give one of the two another", "this host and %s have the same address %s", other.Hostname, a)
		}
		if id := o.Facts.ProductUUID; id != "" && id == other.ProductUUID {
			f.warn("give one of the two another UUID, in the settings of the virtual machine",
				"this host and %s have the same product_uuid %s: Kubernetes runs so, but storage and cloud plugins take the two for one machine", other.Hostname, id)
		}
		if id := o.Facts.MachineID; id != "" && id == other.MachineID {
			f.warn("rm /etc/machine-id; systemd-machine-id-setup; reboot",
				"this host and %s have the same machine-id %s: one is a copy of the other, and DHCP may give both one address", other.Hostname, id)
		}
	}
	ticketHosts(o, name, f)
	f.okIf("none among %s", count(len(o.Others)+1, "host"))
	return nil
}

// ticketHosts looks for the host's name among those that the ticket lists with
// another address.
func ticketHosts(o *Options, name string, f *found) {
	if o.Ticket == nil {
		return
	}
	mine := words(o.Facts.Addresses())
	for _, other := range o.Ticket.Hosts {
		if other.Name == name && !slices.Contains(mine, other.Address) {
			f.fail("--hostname NAME gives this host another name", "the ticket knows %s as %s, which is not this host", name, other.Address)
		}
		if other.Name != name && other.Controls() && slices.Contains(mine, other.Address) {
			f.fail("give one of the two another address", "the ticket says that %s has the address %s, and so has this host", other.Name, other.Address)
		}
	}
}

func words(list []netip.Addr) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

// common is the first member of a that is in b too, "" for none.
func common(a, b []string) string {
	i := slices.IndexFunc(a, func(s string) bool { return slices.Contains(b, s) })
	if i < 0 {
		return ""
	}
	return a[i]
}
