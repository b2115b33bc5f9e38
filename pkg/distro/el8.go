package distro

// el8 is release 8. Packages of the bundle count although a module stream of
// the host has the same names.
func el8() Distro {
	return Distro{name: "el8", manager: "dnf", major: 8, settings: "module_hotfixes=1\n"}
}
