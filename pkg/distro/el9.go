package distro

// el9 is release 9, built for x86-64-v2.
func el9() Distro {
	return Distro{name: "el9", manager: "dnf", major: 9, cpuLevel: 2, modular: true}
}
