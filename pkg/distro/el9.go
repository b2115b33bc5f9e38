package distro

// el9 is release 9, see el8.
func el9() Distro {
	return Distro{name: "el9", manager: "dnf", major: 9, settings: "module_hotfixes=1\n"}
}
