package distro_test

import (
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/software/softwaretest"
)

// TestFamilies: every family that a manifest may name is known.
func TestFamilies(t *testing.T) {
	t.Parallel()
	for _, family := range manifest.Vocabulary()["platform.family"] {
		d, err := distro.For(family)
		if err != nil || d.About().Name != family {
			t.Fatalf("%s: %+v, %v", family, d, err)
		}
		manager := "dnf"
		if family == "el7" {
			manager = "yum"
		}
		softwaretest.Source(t, d, manager)
	}
	if _, err := distro.For("slackware"); err == nil || !strings.Contains(err.Error(), "el7") {
		t.Errorf("slackware: %v", err)
	}
}

// TestInstallHint: packages by their names in the bundle, and what no name is
// known of by its file.
func TestInstallHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		family   string
		programs []string
		want     string
	}{
		{"el7", []string{"kubelet", "kubeadm", "kubectl"}, "yum --disablerepo='*' --enablerepo=kubecrate install kubelet kubeadm kubectl"},
		{"el7", []string{"docker"}, "yum --disablerepo='*' --enablerepo=kubecrate install docker-ce"},
		{"el8", []string{"containerd", "crictl"}, "dnf --disablerepo='*' --enablerepo=kubecrate install containerd.io cri-tools"},
		{"el9", []string{"chronyd"}, "dnf --disablerepo='*' --enablerepo=kubecrate install chrony"},
		{"el9", []string{"conntrack"}, "dnf --disablerepo='*' --enablerepo=kubecrate install '*bin/conntrack'"},
	} {
		d, err := distro.For(c.family)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.InstallHint(c.programs...); got != c.want {
			t.Errorf("%s: %s, want %s", c.family, got, c.want)
		}
	}
}

func TestSupports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, family, release, os string
		want, problem             string // "NAME|RELEASE", part of Problem
	}{
		{"CentOS 7.9", "el7", "CentOS Linux release 7.9.2009 (Core)\n", "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n", "CentOS Linux release 7.9.2009 (Core)|7.9", ""},
		{"CentOS 7.5", "el7", "CentOS Linux release 7.5.1804 (Core) \n", "", "CentOS Linux release 7.5.1804 (Core)|7.5", ""},
		{"CentOS 7.4", "el7", "CentOS Linux release 7.4.1708 (Core)\n", "", "CentOS Linux release 7.4.1708 (Core)|7.4", "too old: Kubernetes needs 7.5 or later"},
		{"CentOS 6", "el7", "CentOS release 6.10 (Final)\n", "", "CentOS release 6.10 (Final)|6.10", "the bundle is for release 7"},
		{"RHEL 7.9", "el7", "Red Hat Enterprise Linux Server release 7.9 (Maipo)\n", "ID=\"rhel\"\n", "Red Hat Enterprise Linux Server release 7.9 (Maipo)|7.9", ""},
		{"Oracle 7.9 without a release file", "el7", "", "ID=\"ol\"\nID_LIKE=\"fedora rhel\"\nVERSION_ID=\"7.9\"\nPRETTY_NAME='Oracle Linux Server 7.9'\n", "Oracle Linux Server 7.9|7.9", ""},
		{"CentOS by os-release", "el7", "", "ID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n", "CentOS Linux 7 (Core)|7", ""},
		{"Amazon 2", "el7", "", "ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"\nPRETTY_NAME=\"Amazon Linux 2\"\n", "Amazon Linux 2|2", "the bundle is for release 7"},
		{"Debian", "el7", "", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", "Debian GNU/Linux 12 (bookworm)|", "CentOS, RHEL and compatible"},
		{"Fedora", "el7", "Fedora release 38 (Thirty Eight)\n", "ID=fedora\nVERSION_ID=38\n", "Fedora release 38 (Thirty Eight)|", "CentOS, RHEL"},
		{"nothing", "el7", "", "", "an unknown operating system|", "CentOS, RHEL"},
		{"Rocky 8", "el8", "Rocky Linux release 8.9 (Green Obsidian)\n", "", "Rocky Linux release 8.9 (Green Obsidian)|8.9", ""},
		{"Stream 9", "el9", "CentOS Stream release 9\n", "ID=\"centos\"\n", "CentOS Stream release 9|9", ""},
		{"8 is not 9", "el9", "Rocky Linux release 8.9 (Green Obsidian)\n", "", "Rocky Linux release 8.9 (Green Obsidian)|8.9", "the bundle is for release 9"},
	} {
		h, m := hosttest.New(t)
		m.Write(t, "/etc/os-release", c.os)
		if c.release != "" {
			m.Write(t, "/etc/redhat-release", c.release)
		}
		d, err := distro.For(c.family)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Supports(h)
		if got := s.Name + "|" + s.Release; err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
		if !strings.Contains(s.Problem, c.problem) || (c.problem == "") != (s.Problem == "") || (s.Problem == "") != (s.Hint == "") {
			t.Errorf("%s: problem %q, hint %q, want %q", c.name, s.Problem, s.Hint, c.problem)
		}
	}
}
