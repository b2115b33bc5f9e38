package prep_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/software/softwaretest"
	"kubecrate/pkg/step"
)

// texts of a CentOS 7 as its installer leaves it.
const (
	fstabText = `
#
# /etc/fstab
# Created by anaconda on Tue Mar  3 09:12:44 2020
#
/dev/mapper/centos-root /                       xfs     defaults        0 0
UUID=3f1b2c1e-7a0f-4b7e-9d52-0c4b8e9f1a2b /boot xfs     defaults        0 0
/dev/mapper/centos-swap swap                    swap    defaults        0 0
`
	selinuxText = `
# This file controls the state of SELinux on the system.
# SELINUX= can take one of these three values:
#     enforcing - SELinux security policy is enforced.
SELINUX=enforcing
# SELINUXTYPE= can take one of three values:
SELINUXTYPE=targeted
`
	swapsText  = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-1 partition\t2097148\t0\t-2\n"
	hostsText  = "127.0.0.1   localhost localhost.localdomain localhost4 localhost4.localdomain4\n::1         localhost localhost.localdomain localhost6 localhost6.localdomain6\n"
	chronyText = "server 0.centos.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n"
)

// centos is a host on which everything is still to be done.
func centos(t *testing.T) (*host.Host, *hosttest.Machine) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t,
		"/etc/fstab", fstabText, "/etc/selinux/config", selinuxText, "/etc/hosts", hostsText, "/etc/chrony.conf", chronyText,
		"/etc/hostname", "old\n", "/proc/sys/kernel/hostname", "old\n", "/proc/swaps", swapsText,
		"/proc/filesystems", "nodev\tsysfs\n\txfs\n", "/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n",
		"/proc/sys/net/ipv4/ip_forward", "0\n", "/proc/sys/vm/swappiness", "30\n",
	)
	m.Enforce = "Enforcing"
	m.Units["firewalld.service"] = &hosttest.Unit{Enabled: true, Active: true}
	m.Units["iptables.service"] = &hosttest.Unit{}
	m.Units["chronyd.service"] = &hosttest.Unit{}
	m.Units["ntpd.service"] = &hosttest.Unit{Enabled: true, Active: true}
	m.Units[`dev-dm\x2d1.swap`] = &hosttest.Unit{Active: true, NoFile: true}
	for _, name := range []string{"br_netfilter", "overlay", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack_ipv4"} {
		m.Modules[name] = false
	}
	return h, m
}

func entries() []prep.Entry {
	return []prep.Entry{
		{Address: netip.MustParseAddr("192.168.4.11"), Names: []string{"master1"}},
		{Address: netip.MustParseAddr("192.168.4.12"), Names: []string{"node1"}},
	}
}

func steps() []step.Step {
	list := prep.All().Steps(prep.Options{Hostname: "master1", Hosts: entries(), IPVS: true})
	return append(list, prep.Time(prep.Clock{Serve: []netip.Prefix{netip.MustParsePrefix("192.168.4.0/24")}}))
}

func journal(t *testing.T, h *host.Host) *step.Journal {
	t.Helper()
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return j
}

func apply(t *testing.T, h *host.Host, list []step.Step) error {
	t.Helper()
	return step.Run(t.Context(), h, journal(t, h), prep.All().Kinds(), list, func(step.Event) {})
}

// loaded leaves out of a state what stays loaded until the next boot.
func loaded(state string) string {
	var kept []string
	for line := range strings.Lines(state) {
		if !strings.HasPrefix(line, "module ") && !strings.HasPrefix(line, "/sys/module/") && !strings.HasPrefix(line, "/proc/sys/net/bridge/") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestAll(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	before := m.State(t)
	plan, err := step.Plan(t.Context(), h, steps())
	if err != nil || m.State(t) != before {
		t.Fatalf("plan: %v, or it changed something", err)
	}
	for _, e := range plan {
		if e.Status.State != step.ToDo && e.Status.State != step.Later {
			t.Errorf("%s is %s", e.Step, e.Status.State)
		}
	}
	if err := apply(t, h, steps()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/etc/fstab":                          "\n#kubecrate# /dev/mapper/centos-swap swap",
		"/proc/swaps":                         "Priority\n",
		"/etc/selinux/config":                 "\nSELINUX=disabled\n# SELINUXTYPE=",
		"/etc/hosts":                          hostsText + "# BEGIN kubecrate\n192.168.4.11 master1\n192.168.4.12 node1\n# END kubecrate\n",
		"/etc/hostname":                       "master1\n",
		"/proc/sys/kernel/hostname":           "master1\n",
		"/etc/modules-load.d/kubernetes.conf": "br_netfilter\noverlay\n",
		"/etc/modules-load.d/ipvs.conf":       "ip_vs\nip_vs_rr\nip_vs_wrr\nip_vs_sh\nnf_conntrack_ipv4\n",
		"/etc/sysctl.d/kubernetes.conf":       "net.ipv4.ip_forward = 1\n",
		"/proc/sys/net/ipv4/ip_forward":       "1\n",
		"/proc/sys/vm/swappiness":             "0\n",
		"/etc/chrony.conf":                    chronyText + "# BEGIN kubecrate\nlocal stratum 10\nallow 192.168.4.0/24\n# END kubecrate\n",
	} {
		if got := m.Read(t, path); !strings.Contains(got, want) {
			t.Errorf("%s holds\n%s\nwant\n%s", path, got, want)
		}
	}
	for name, want := range map[string]hosttest.Unit{
		"firewalld.service": {}, "ntpd.service": {}, "chronyd.service": {Enabled: true, Active: true},
		`dev-dm\x2d1.swap`: {Masked: true, NoFile: true},
	} {
		if *m.Units[name] != want {
			t.Errorf("%s is %+v", name, *m.Units[name])
		}
	}
	if m.Enforce != "Permissive" {
		t.Errorf("SELinux is %s", m.Enforce)
	}
	after := m.State(t)
	if err := apply(t, h, steps()); err != nil || m.State(t) != after {
		t.Errorf("the second run: %v", err)
	}
	again, err := step.Plan(t.Context(), h, steps())
	for _, e := range again {
		if err != nil || e.Status.State != step.Done {
			t.Errorf("after the run %s is %+v, %v", e.Step, e.Status, err)
		}
	}
	reset(t, h, m, before)
}

func reset(t *testing.T, h *host.Host, m *hosttest.Machine, before string) {
	t.Helper()
	if err := step.Reset(t.Context(), h, journal(t, h), prep.All().Kinds(), func(step.Event) {}); err != nil {
		t.Fatal(err)
	}
	if got, want := loaded(m.State(t)), loaded(before); got != want {
		t.Errorf("after reset:\n%s\nwant:\n%s", got, want)
	}
}

var errKilled = errors.New("killed")

// TestKilled ends the run before every call in turn; the same run then goes on,
// and a reset leads back.
func TestKilled(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		h, m := centos(t)
		before := m.State(t)
		calls := 0
		m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		err := apply(t, h, steps())
		m.OnCall = nil
		if err == nil {
			if at < 40 {
				t.Errorf("only %d calls", at)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		if at%2 == 0 {
			if err := apply(t, h, steps()); err != nil {
				t.Fatalf("the run after a kill at %d: %v", at, err)
			}
		}
		reset(t, h, m, before)
	}
}

func TestSpecial(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*testing.T, *hosttest.Machine)
		step   step.Step
		state  step.State
		says   string // part of What or Warnings
		hint   string
	}{
		{"no name", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/proc/sys/kernel/hostname", "localhost.localdomain\n")
		}, prep.Hosts("", nil), step.Impossible, "every node needs a unique name", "--hostname NAME"},
		{"another address", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/etc/hosts", hostsText+"10.0.0.9 node1 # old\n")
		}, prep.Hosts("", entries()), step.Impossible, "10.0.0.9 node1", "edit /etc/hosts"},
		{"one of several addresses", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/etc/hosts", "192.168.4.12 k8s.lan # mine\n"+hostsText)
		}, prep.Hosts("", []prep.Entry{{Address: netip.MustParseAddr("192.168.4.11"), Names: []string{"m1", "k8s.lan"}}, {Address: netip.MustParseAddr("192.168.4.12"), Names: []string{"m2", "k8s.lan"}}}), step.ToDo, "", ""},
		{"none of several addresses", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/etc/hosts", "192.168.4.13 k8s.lan\n"+hostsText)
		}, prep.Hosts("", []prep.Entry{{Address: netip.MustParseAddr("192.168.4.11"), Names: []string{"m1", "k8s.lan"}}, {Address: netip.MustParseAddr("192.168.4.12"), Names: []string{"m2", "k8s.lan"}}}), step.Impossible, "192.168.4.13 k8s.lan", "edit /etc/hosts"},
		{"block kept in place", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/etc/hosts", "# BEGIN kubecrate\n192.168.4.11 master1\n192.168.4.12 node1\n# END kubecrate\n10.0.0.1 gate\n")
		}, prep.Hosts("", entries()), step.Done, "", ""},
		{"no SELinux", func(t *testing.T, m *hosttest.Machine) {
			m.Enforce = ""
			m.Programs["getenforce"] = missing
			m.Write(t, "/etc/selinux/config", "")
		}, prep.SELinux(), step.Done, "", ""},
		{"SELinux disabled", func(t *testing.T, m *hosttest.Machine) {
			m.Enforce = "Disabled"
			m.Write(t, "/etc/selinux/config", "SELINUX=disabled\n")
		}, prep.SELinux(), step.Done, "", ""},
		{"built in", func(t *testing.T, m *hosttest.Machine) {
			clear(m.Modules)
			m.Write(t, "/proc/filesystems", "nodev\toverlay\n", "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n",
				"/etc/modules-load.d/kubernetes.conf", "br_netfilter\noverlay\n")
		}, prep.Modules(), step.Done, "", ""},
		{"no overlay", func(_ *testing.T, m *hosttest.Machine) { delete(m.Modules, "overlay") },
			prep.Modules(), step.Impossible, "the kernel has no overlay", "install and boot a kernel that has it"},
		{"no ip_vs", func(_ *testing.T, m *hosttest.Machine) { clear(m.Modules) },
			prep.IPVS(), step.Done, "iptables instead of ipvs", ""},
		{"sysctl.conf wins", func(t *testing.T, m *hosttest.Machine) {
			m.Write(t, "/etc/sysctl.conf", "net.ipv4.ip_forward = 0\n", "/etc/sysctl.d/99-x.conf", "vm.swappiness=10\n",
				"/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n", "/proc/sys/net/bridge/bridge-nf-call-ip6tables", "1\n")
		}, prep.Sysctl(), step.ToDo, "/etc/sysctl.conf sets net.ipv4.ip_forward to 0", ""},
		{"no chrony", func(_ *testing.T, m *hosttest.Machine) { delete(m.Units, "chronyd.service") },
			prep.Time(prep.Clock{}), step.ToDo, "once chrony is installed", ""},
	} {
		h, m := centos(t)
		c.change(t, m)
		st, err := c.step.Check(t.Context(), h)
		if st.State == "" {
			st.State = step.Done
		}
		if err != nil || st.State != c.state {
			t.Errorf("%s: %+v, %v, want %s", c.name, st, err, c.state)
		}
		if said := strings.Join(append(st.What, st.Warnings...), "\n"); !strings.Contains(said, c.says) {
			t.Errorf("%s: it says %q, want %q", c.name, said, c.says)
		}
		if !strings.Contains(st.Hint, c.hint) {
			t.Errorf("%s: hint %q, want %q", c.name, st.Hint, c.hint)
		}
	}
}

func missing([]string, string) (string, error) {
	_, err := host.Exec{}.Run(context.Background(), host.Command("no-such-program-here"))
	return "", err
}

// TestBridge: without br_netfilter the settings of the bridge are not there.
func TestBridge(t *testing.T) {
	t.Parallel()
	h, _ := centos(t)
	_, err := prep.Sysctl().Check(t.Context(), h)
	if err == nil || hint.Of(err) != "modprobe br_netfilter" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

// TestNoChrony: what the packages did not bring is said, with how to get it.
func TestNoChrony(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	delete(m.Units, "chronyd.service")
	h.Software = softwaretest.Hints{}
	err := apply(t, h, []step.Step{prep.Time(prep.Clock{})})
	if err == nil || !strings.Contains(err.Error(), "chrony is not installed") || !strings.Contains(hint.Of(err), "bring chronyd") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}
