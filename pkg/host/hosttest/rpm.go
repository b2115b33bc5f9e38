package hosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

// RPM is a model of rpm, yum and dnf. What is installed stands in
// /var/lib/rpm/Packages, a NEVRA a line, so that State holds it. yum installs
// what lies as a file in the repository that its repo file names, and resolves
// nothing: what Needs asks for has to be there or on the command line.
type RPM struct {
	Needs    map[string][]string // by package name: the capabilities it requires
	Provides map[string][]string // by package name: capabilities beside the name
	Files    map[string]string   // by path: the package that owns it

	m *Machine
}

const rpmDB = "/var/lib/rpm/Packages"

// RPM gives the machine rpm, yum and dnf, and these packages.
func (m *Machine) RPM(tb testing.TB, installed ...string) *RPM {
	tb.Helper()
	r := &RPM{Needs: map[string][]string{}, Provides: map[string][]string{}, Files: map[string]string{}, m: m}
	m.Programs["rpm"], m.Programs["yum"], m.Programs["dnf"] = r.rpm, r.yum, r.yum
	r.Set(tb, installed...)
	return r
}

// Set makes these packages the installed ones.
func (r *RPM) Set(tb testing.TB, installed ...string) {
	tb.Helper()
	var list []nevra.NEVRA
	for _, s := range installed {
		n, err := nevra.Parse(s)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, n)
	}
	if err := r.write(list); err != nil {
		tb.Fatal(err)
	}
}

// Installed lists what is installed, sorted.
func (r *RPM) Installed() []string {
	var list []string
	for _, n := range r.read() {
		list = append(list, n.String())
	}
	return list
}

func (r *RPM) read() []nevra.NEVRA {
	text, _ := os.ReadFile(filepath.Join(r.m.root, rpmDB)) // none is nothing installed
	var list []nevra.NEVRA
	for _, s := range strings.Fields(string(text)) {
		if n, err := nevra.Parse(s); err == nil {
			list = append(list, n)
		}
	}
	return list
}

func (r *RPM) write(list []nevra.NEVRA) error {
	const dirMode, fileMode = 0o755, 0o644
	var lines []string
	for _, n := range list {
		lines = append(lines, n.String()+"\n")
	}
	slices.Sort(lines)
	path := filepath.Join(r.m.root, rpmDB)
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Join(slices.Compact(lines), "")), fileMode)
}

// rpm knows -qa, -q --whatprovides, -qf and -e, with --qf and --test.
func (r *RPM) rpm(args []string, _ string) (string, error) {
	format, verb, test, by := "", "", false, ""
	var names []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; a {
		case "--qf", "--queryformat":
			i++
			format = args[i]
		case "-qa", "-q", "-qf", "-e":
			verb = a
		case "--test":
			test = true
		case "--whatprovides":
			by = a
		default:
			if strings.HasPrefix(a, "-") {
				return "", &Exit{Code: 1, Stderr: "rpm: " + a + ": unknown option"}
			}
			names = append(names, a)
		}
	}
	switch {
	case verb == "-qa":
		return r.query(format, func(nevra.NEVRA) bool { return true }), nil
	case verb == "-q" && by != "":
		return r.each(names, func(name string) string {
			return r.query(format, func(n nevra.NEVRA) bool { return r.provides(n, name) })
		}, "no package provides %s\n")
	case verb == "-qf":
		return r.each(names, func(path string) string {
			return r.query(format, func(n nevra.NEVRA) bool { return r.Files[path] == n.Name })
		}, "file %s is not owned by any package\n")
	case verb == "-e":
		return r.erase(names, test)
	}
	return "", &Exit{Code: 1, Stderr: "rpm: the model does not know " + strings.Join(args, " ")}
}

func (r *RPM) each(names []string, ask func(string) string, none string) (string, error) {
	var out strings.Builder
	missing := 0
	for _, name := range names {
		answer := ask(name)
		if answer == "" {
			answer = fmt.Sprintf(none, name)
			missing++
		}
		out.WriteString(answer)
	}
	if missing > 0 {
		return out.String(), &Exit{Code: missing}
	}
	return out.String(), nil
}

func (r *RPM) provides(n nevra.NEVRA, name string) bool {
	return n.Name == name || slices.Contains(r.Provides[n.Name], name)
}

func (r *RPM) query(format string, wanted func(nevra.NEVRA) bool) string {
	var out strings.Builder
	for _, n := range r.read() {
		if !wanted(n) {
			continue
		}
		epoch := n.Epoch
		if epoch == "" {
			epoch = "0"
		}
		out.WriteString(strings.NewReplacer("%{NAME}", n.Name, "%{EPOCHNUM}", epoch, "%{VERSION}", n.Version,
			"%{RELEASE}", n.Release, "%{ARCH}", n.Arch, `\n`, "\n", `\t`, "\t").Replace(format))
	}
	return out.String()
}

// label is how rpm takes and prints a package: without its epoch.
func label(n nevra.NEVRA) string { return strings.TrimSuffix(n.FileName(), ".rpm") }

func (r *RPM) erase(names []string, test bool) (string, error) {
	var left, gone []nevra.NEVRA
	for _, n := range r.read() {
		if slices.Contains(names, label(n)) {
			gone = append(gone, n)
		} else {
			left = append(left, n)
		}
	}
	if len(gone) != len(names) {
		return "", &Exit{Code: 1, Stderr: "error: package " + strings.Join(names, " or ") + " is not installed"}
	}
	said := ""
	for _, n := range left {
		for _, need := range r.Needs[n.Name] {
			has := func(p nevra.NEVRA) bool { return r.provides(p, need) }
			if slices.ContainsFunc(gone, has) && !slices.ContainsFunc(left, has) {
				said += fmt.Sprintf("\t%s is needed by (installed) %s\n", need, label(n))
			}
		}
	}
	if said != "" {
		return "", &Exit{Code: 1, Stderr: "error: Failed dependencies:\n" + said}
	}
	if test {
		return "", nil
	}
	return "", r.write(left)
}

// yumCall is a command line of yum.
type yumCall struct {
	verb, repo     string
	yes, only, dry bool
	config         string
	names          []string
}

func parseYum(args []string) (c yumCall, err error) {
	for _, a := range args {
		repo, isRepo := strings.CutPrefix(a, "--enablerepo=")
		switch {
		case a == "-y":
			c.yes = true
		case a == "--disablerepo=*":
			c.only = true
		case isRepo:
			c.repo = repo
		case a == "--setopt=tsflags=test":
			c.dry = true
		case strings.HasPrefix(a, "--config="):
			c.config = strings.TrimPrefix(a, "--config=")
		case a == "--noplugins", a == "--disableexcludes=all":
		case strings.HasPrefix(a, "-"):
			return c, &Exit{Code: 1, Stderr: "Command line error: no such option: " + a}
		case c.verb == "":
			c.verb = a
		default:
			c.names = append(c.names, a)
		}
	}
	return c, nil
}

// yum knows install and reinstall from one repository; every other one has to
// be turned off, since on an isolated host no other can be reached.
func (r *RPM) yum(args []string, _ string) (string, error) {
	c, err := parseYum(args)
	if err != nil {
		return "", err
	}
	if !c.yes || !c.only || c.repo == "" || (c.verb != "install" && c.verb != "reinstall") {
		return "", &Exit{Code: 1, Stderr: "yum: the model does not know " + strings.Join(args, " ")}
	}
	config, err := r.config(c)
	if err != nil {
		return "", err
	}
	dir, err := r.repository(config, c.repo)
	if err != nil {
		return "", err
	}
	list, have := r.read(), r.read()
	for _, name := range c.names {
		n, err := nevra.Parse(name)
		if err != nil {
			return "", &Exit{Code: 1, Stderr: "No package " + name + " available."}
		}
		if _, err := os.Stat(filepath.Join(dir, n.FileName())); err != nil {
			return "", &Exit{Code: 1, Stderr: "No package " + name + " available.\nError: Nothing to do"}
		}
		if there := slices.Contains(have, n); there != (c.verb == "reinstall") {
			continue
		}
		list = append(slices.DeleteFunc(list, func(o nevra.NEVRA) bool { return o.Name == n.Name && o.Arch == n.Arch }), n)
	}
	if said := r.lacking(list); said != "" {
		return "", &Exit{Code: 1, Stderr: said}
	}
	if !c.dry {
		if err := r.write(list); err != nil {
			return "", err
		}
	}
	return "Dependencies Resolved\nRunning transaction\nComplete!\n", nil
}

// config is the text of yum's configuration, with the repositories' files of its
// reposdir. A host that says assumeno installs nothing.
func (r *RPM) config(c yumCall) (string, error) {
	file, dir := "/etc/yum.conf", "/etc/yum.repos.d"
	if c.config != "" {
		file = c.config
	}
	text, err := os.ReadFile(filepath.Join(r.m.root, file))
	if err != nil && c.config != "" {
		return "", &Exit{Code: 1, Stderr: "Config Error: Error accessing file for config file://" + file}
	}
	config := "\n" + string(text)
	if strings.Contains(config, "\nassumeno=1\n") {
		return "", &Exit{Code: 1, Stderr: "Exiting on user command\nYour transaction was saved."}
	}
	if _, rest, ok := strings.Cut(config, "\nreposdir="); ok {
		dir, _, _ = strings.Cut(rest, "\n")
	}
	files, err := filepath.Glob(filepath.Join(r.m.root, dir, "*.repo"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		config += "\n" + string(text)
	}
	return config, nil
}

// repository is where the packages of a repository lie.
func (r *RPM) repository(config, id string) (string, error) {
	_, text, ok := strings.Cut(config, "\n["+id+"]\n")
	if !ok {
		return "", &Exit{Code: 1, Stderr: "Error getting repository data for " + id + ", repository not found"}
	}
	_, rest, _ := strings.Cut(text, "\nbaseurl=file://")
	path, _, _ := strings.Cut(rest, "\n")
	dir := filepath.Join(r.m.root, path)
	if _, err := os.Stat(filepath.Join(dir, "repodata/repomd.xml")); err != nil {
		return "", &Exit{Code: 1, Stderr: "Cannot retrieve repository metadata (repomd.xml) for repository: " + id}
	}
	return dir, nil
}

// lacking says what the packages of list need and do not have.
func (r *RPM) lacking(list []nevra.NEVRA) string {
	said := ""
	for _, n := range list {
		for _, need := range r.Needs[n.Name] {
			if !slices.ContainsFunc(list, func(p nevra.NEVRA) bool { return r.provides(p, need) }) {
				said += fmt.Sprintf("Error: Package: %s (kubecrate)\n           Requires: %s\n", n, need)
			}
		}
	}
	return said
}
