package preflight

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// nodeName returns the host's name in the cluster: from the flag, from the cluster file, or its own.
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
	const fix = "set another name with --hostname NAME: lower-case letters, digits and dashes, such as node1"
	// The name becomes a label of the node, and labels have at most 63 characters.
	const most = 63
	name := o.nodeName()
	lower := strings.ToLower(name)
	short, _, _ := strings.Cut(lower, ".")
	switch {
	case name == "" || short == "localhost" || name == "(none)":
		f.fail(fix, "the hostname is %q; every node needs a unique name", name)
	case len(name) > most:
		f.fail(fix, "the name %s has %d characters; a node name has at most %d", name, len(name), most)
	case slices.ContainsFunc(strings.Split(lower, "."), func(l string) bool { return !isLabel(l) }):
		f.fail(fix, "%q is not a valid node name", name)
	case strings.Trim(lower[strings.LastIndexByte(lower, '.')+1:], "0123456789") == "":
		f.fail(fix, "the name %s looks like an IP address: the part after the last dot must contain a letter", name)
	case name != lower:
		f.warn(fix, "the hostname is %s, the node name will be %s", name, lower)
	}
	f.okIf("%s", name)
	return nil
}

// isLabel reports whether s is a lower-case label of RFC 1123.
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
		f.warn("if this host belongs to the cluster, add it to the hosts in cluster.yaml or --hosts", "the cluster's host list has no entry for %s or for an address of this host", o.Facts.Hostname)
	case self.Role != o.Role:
		f.fail("--role "+string(self.Role)+", or correct the role in cluster.yaml or --hosts", "in the cluster's host list, %s is a %s, not a %s", self.Name, roleName(self.Role), roleName(o.Role))
	default:
		f.ok("%s is a %s in the cluster's host list", self.Name, roleName(self.Role))
	}
	return nil
}

// maxTold is how many warnings about other hosts one check reports.
const maxTold = 6

// duplicates looks for what two hosts must not share. The other hosts are known only
// from their reports on the stick, so this warns: kubeadm itself refuses a second
// node with the same name.
func duplicates(_ *host.Host, o *Options, f *found) error {
	name := strings.ToLower(o.nodeName())
	macs, addresses := o.Facts.MACs(), words(o.Facts.Addresses())
	for _, other := range o.Others {
		if len(f.list) >= maxTold {
			f.warn("list the host reports on the stick with ls -l hosts, and remove those of other clusters", "only the first of %s are shown", count(len(o.Others), "host report"))
			break
		}
		if strings.ToLower(other.Hostname) == name {
			f.warn("set another name for this host with --hostname NAME", "another host has the same name %s, according to its host report on the stick", name)
		}
		if mac := common(macs, other.MACs()); mac != "" {
			f.warn("change the MAC address of one of them in the settings of the virtual machine", "this host and %s have the same hardware address (MAC) %s", other.Hostname, mac)
		}
		if a := common(addresses, words(other.Addresses())); a != "" {
			f.warn("compare ip addr show on both; change the address of one of them", "this host and %s have the same address %s", other.Hostname, a)
		}
		if id := o.Facts.ProductUUID; id != "" && id == other.ProductUUID {
			f.warn("change the UUID of one of them in the settings of the virtual machine",
				"this host and %s have the same product_uuid %s: Kubernetes works, but storage and cloud plugins treat them as one machine", other.Hostname, id)
		}
		if id := o.Facts.MachineID; id != "" && id == other.MachineID {
			f.warn("rm /etc/machine-id; systemd-machine-id-setup; reboot",
				"this host and %s have the same machine-id %s: one was cloned from the other, and DHCP may assign both the same address", other.Hostname, id)
		}
	}
	ticketHosts(o, name, f)
	f.okIf("no duplicates among %s", count(len(o.Others)+1, "host"))
	return nil
}

// ticketHosts looks for the host's name or address in the ticket's entries of other
// hosts.
func ticketHosts(o *Options, name string, f *found) {
	if o.Ticket == nil {
		return
	}
	mine := words(o.Facts.Addresses())
	for _, other := range o.Ticket.Hosts {
		if other.Name == name && !slices.Contains(mine, other.Address) {
			f.fail("set another name for this host with --hostname NAME", "in the ticket, %s is %s, which is not this host", name, other.Address)
		}
		if other.Name != name && other.Controls() && slices.Contains(mine, other.Address) {
			f.fail("change the address of one of them", "in the ticket, %s has the address %s, which is also this host's", other.Name, other.Address)
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

// common returns the first member of a that is also in b, "" for none.
func common(a, b []string) string {
	i := slices.IndexFunc(a, func(s string) bool { return slices.Contains(b, s) })
	if i < 0 {
		return ""
	}
	return a[i]
}
