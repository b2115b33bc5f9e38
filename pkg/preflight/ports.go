package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
)

// port is one that Kubernetes listens on.
type port struct {
	number  int
	what    string
	control bool // of the control plane
}

// portList lists the ports that kubeadm's preflight checks, and the health and metrics
// ports of the same programs.
func portList() []port {
	return []port{
		{2379, "etcd, for clients", true},
		{2380, "etcd, for its peers", true},
		{2381, "etcd, metrics", true},
		{6443, "the API server", true},
		{10248, "the kubelet, health", false},
		{10249, "kube-proxy, metrics", false},
		{10250, "the kubelet", false},
		{10251, "the scheduler", true},
		{10252, "the controller manager", true},
		{10256, "kube-proxy, health", false},
		{10257, "the controller manager", true},
		{10259, "the scheduler", true},
	}
}

// network returns the facts of the bundle's network.
func (o *Options) network() cni.Network { return o.Networks.Find(o.Manifest.Network) }

// networkPorts returns the TCP ports that the network listens on, on every host. Its
// UDP ports belong to the kernel and do not conflict with programs.
func (o *Options) networkPorts() []port {
	var list []port
	for _, p := range o.network().Ports {
		if p.Protocol == cni.TCP {
			list = append(list, port{p.Number, p.What, false})
		}
	}
	return list
}

// The API server's default port range of NodePort services.
const nodePortFirst, nodePortLast = 30000, 32767

func ports(h *host.Host, o *Options, f *found) error {
	if o.Ours {
		f.ok("not checked: kubecrate already ran kubeadm on this host")
		return nil
	}
	var list []listener
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := h.Text(file)
		if err != nil {
			return err
		}
		list = append(list, parseListeners(text)...)
	}
	all := append(portList(), o.networkPorts()...)
	for _, p := range all {
		if p.control && !o.controls() {
			continue
		}
		i := slices.IndexFunc(list, func(l listener) bool { return l.port == p.number })
		if i < 0 {
			continue
		}
		holder, err := holderOf(h, list[i].inode)
		if err != nil {
			return err
		}
		f.fail(holder.hint(p.number), "port %d (%s) is in use by %s", p.number, p.what, holder)
	}
	if i := slices.IndexFunc(list, func(l listener) bool { return l.port >= nodePortFirst && l.port <= nodePortLast }); i >= 0 {
		f.warn(fmt.Sprintf("ss -ltnp 'sport = :%d'", list[i].port), "a program listens on port %d, which is in the range of NodePort services", list[i].port)
	}
	f.okIf("%s free", portNumbers(all, o.Role))
	return nil
}

func portNumbers(all []port, r manifest.Role) string {
	var list []string
	for _, p := range all {
		if !p.control || r != manifest.Node {
			list = append(list, strconv.Itoa(p.number))
		}
	}
	return strings.Join(list, ", ")
}

// listener is a listening TCP socket.
type listener struct {
	port  int
	inode string
}

// parseListeners reads /proc/net/tcp and tcp6, proc(5): the local address with
// the port in hexadecimal, the state (0A is LISTEN), the inode of the socket.
func parseListeners(text string) []listener {
	const address, state, inode, listen = 1, 3, 9, "0A"
	var list []listener
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) <= inode || w[state] != listen {
			continue
		}
		_, number, ok := strings.Cut(w[address], ":")
		n, err := strconv.ParseUint(number, 16, 16)
		if ok && err == nil {
			list = append(list, listener{int(n), w[inode]})
		}
	}
	return list
}

// holder is the process behind a socket.
type holder struct{ pid, name string }

func (p holder) String() string {
	if p.pid == "" {
		return "another program"
	}
	return fmt.Sprintf("%s (process %s)", p.name, p.pid)
}

// hint says how to free the port: resetting a cluster stops its programs.
func (p holder) hint(number int) string {
	show := fmt.Sprintf("see ss -ltnp 'sport = :%d'", number)
	switch {
	case p.pid == "":
		return show + ", then stop the program"
	case strings.HasPrefix(p.name, "kube") || p.name == "etcd":
		return "if that cluster is no longer needed: kubeadm reset; " + show
	}
	return "find its service with systemctl status " + p.pid + ", stop it with systemctl disable --now SERVICE; " + show
}

// holderOf finds the process that has a socket open; the zero holder if it cannot be
// determined.
func holderOf(h *host.Host, inode string) (holder, error) {
	pid, err := h.SocketOwner(inode)
	if err != nil || pid == "" {
		return holder{}, err
	}
	name, err := h.Text("/proc/" + pid + "/comm")
	return holder{pid, strings.TrimSpace(name)}, err
}
