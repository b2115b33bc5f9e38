package facts

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestParseOS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CentOS Linux release 7.9.2009 (Core)|ID=\"centos\"\nVERSION_ID=\"7\"":           "centos 7.9.2009 7.9",
		"CentOS Linux release 7.5.1804 (Core) \n|":                                       "centos 7.5.1804 7.5",
		"CentOS release 6.10 (Final)|":                                                   "centos 6.10 6.10",
		"CentOS Stream release 8|ID=centos":                                              "centos 8 8.-1",
		"Red Hat Enterprise Linux Server release 7.6 (Maipo)|ID=\"rhel\"":                "rhel 7.6 7.6",
		"Red Hat Enterprise Linux Server release 7.9 (Maipo)|ID='ol'":                    "ol 7.9 7.9",
		"Rocky Linux release 8.9 (Green Obsidian)|":                                      "rocky 8.9 8.9",
		"CentOS Linux release 7.9.2009 (Core)|ID=debian\nVERSION_ID=12":                  "centos 7.9.2009 7.9",
		"|ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"":  "debian 12 12.-1",
		"|# ID=x\nID=ubuntu\nVERSION_ID=18.04\nNAME=Ubuntu\nVERSION='18.04 LTS'\nbroken": "ubuntu 18.04 18.4",
		"a release candidate|":                                                           "  -1.-1",
		"|":                                                                              "  -1.-1",
	} {
		red, release, _ := strings.Cut(text, "|")
		o := parseOS(red, release)
		major, minor := o.Numbers()
		if got := fmt.Sprintf("%s %s %d.%d", o.ID, o.Version, major, minor); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{"0": 1, "0-1": 2, "0-3,6,8-9": 7, "": 0, "x": 0, "3-1": 0, "0-70000": 0, "0,": 0} {
		if got := countList(list); got != want {
			t.Errorf("%q: %d, want %d", list, got, want)
		}
	}
	if got := countProcessors("processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n"); got != 2 {
		t.Errorf("%d processors", got)
	}
	if got := memTotal("MemTotal: 99999999999999999999 kB\n"); got != 0 {
		t.Errorf("memory that cannot be: %d", got)
	}
	if got := swapTotal("Filename Type Size Used Priority\n/dev/a partition 10 0 -2\n/swap file 6 0 -3\n"); got != 16<<10 {
		t.Errorf("swap %d", got)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("2: eth0    inet 192.168.4.11/24 brd 192.168.4.255 scope global eth0\\  valid\n")
	f.Add("3: tun0@if4: inet 10.8.0.6 peer 10.8.0.5/32 scope global tun0\n")
	f.Add("eth0\t00000000\t0104A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
	f.Add("CentOS Linux release 7.9.2009 (Core)\n")
	f.Add("ID=\"centos\"\nVERSION_ID='7'\n")
	f.Add("/dev/a / xfs rw 0 0\nnameserver 1.1.1.1\nMemTotal: 12 kB\nprocessor : 0\n")
	f.Add("bash-0:4.2.46-34.el7.x86_64\n0-3,7\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, list := range parseAddresses(text) {
			for _, a := range list {
				if !a.Prefix.IsValid() || !a.Prefix.Addr().Is4() {
					t.Errorf("address %v", a)
				}
			}
		}
		for _, r := range parseRoutes(text) {
			if !r.Destination.IsValid() || r.Destination != r.Destination.Masked() || r.Interface == "" {
				t.Errorf("route %+v", r)
			}
		}
		o := parseOS(text, text)
		o.Numbers()
		if countList(text) < 0 || memTotal(text) < 0 || swapTotal(text) < 0 || countProcessors(text) < 0 {
			t.Error("less than nothing")
		}
		for _, s := range parseResolv(text) {
			if _, err := netip.ParseAddr(s); err != nil {
				t.Error(err)
			}
		}
	})
}
