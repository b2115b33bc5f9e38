package preflight

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
)

// The variables that send a request for the API server to a proxy, and exempt it.
// Both are read in either case.
const (
	proxyVariable = "https_proxy"
	directTo      = "no_proxy"
)

// proxy looks for an HTTP proxy between this host and the API server: the kubelet
// gets one from its unit's files or from systemd itself. Programs run by install get
// none, whatever the shell sets (see host.Exec), but kubectl in that shell does.
func proxy(ctx context.Context, h *host.Host, o *Options, f *found) error {
	list, err := managerVariables(ctx, h)
	if err != nil {
		return err
	}
	more, err := unitVariables(h, "kubelet.service")
	if err != nil {
		return err
	}
	list = append(list, more...)
	server := o.server()
	if v, found := proxied(list, server); found {
		fix := "remove it from " + v.file + ", or add " + orUnknown(server) + " to NO_PROXY there; then: systemctl daemon-reexec"
		if v.file == "" {
			v.file, fix = "systemd", "systemctl unset-environment "+v.name
		}
		f.fail(fix, "%s sets an HTTP proxy (%s): the kubelet would use it to reach the API server", v.file, v.name)
	}
	var shell []variable
	for _, pair := range o.Environ {
		name, value, _ := strings.Cut(pair, "=")
		shell = append(shell, variable{name: name, value: value})
	}
	if v, found := proxied(shell, server); found {
		f.warn("unset "+v.name, "this shell sets an HTTP proxy (%s): install ignores it, but kubectl in this shell would use it to reach the API server", v.name)
	}
	f.okIf("no proxy between this host and the API server")
	return nil
}

// server returns the address of the API server that this host uses, "" if it is not
// known. NO_PROXY matches a name only as it is written.
func (o *Options) server() string {
	if o.Ticket != nil {
		name, _, _ := strings.Cut(o.Ticket.Endpoint, ":")
		return name
	}
	if a := o.endpoint(); a.IsValid() {
		return a.String()
	}
	a, _, err := facts.AddressOf(o.Facts, o.Cluster, o.Advertise)
	if err != nil {
		return "" // reported by the check "address"
	}
	return a.String()
}

// variable is one of an environment, and the file that sets it.
type variable struct{ name, value, file string }

// proxied returns the variable that sets a proxy for server, unless another exempts
// server from it. The last value of a name counts, as for systemd.
func proxied(list []variable, server string) (by variable, found bool) {
	direct := false
	for _, v := range list {
		switch strings.ToLower(v.name) {
		case proxyVariable:
			by, found = v, v.value != ""
		case directTo:
			direct = excepts(v.value, server)
		}
	}
	return by, found && !direct
}

// excepts reports whether a NO_PROXY, as Go programs read it, matches server: "*",
// addresses, networks, and names with their subdomains.
func excepts(list, server string) bool {
	address, err := netip.ParseAddr(server)
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		switch {
		case word == "*", word == server:
			return true
		case err == nil:
			if p, err := netip.ParsePrefix(word); err == nil && p.Contains(address) {
				return true
			}
		case strings.HasSuffix("."+server, "."+strings.TrimPrefix(word, ".")):
			return true
		}
	}
	return false
}

// managerVariables returns those that systemd passes to all units until the next
// boot. Without root they cannot be read, and the check root fails anyway.
func managerVariables(ctx context.Context, h *host.Host) ([]variable, error) {
	out, err := h.Query(ctx, "systemctl", "show-environment")
	if err != nil {
		return nil, ignored(ctx)
	}
	var list []variable
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, variable{name: name, value: value})
	}
	return list, nil
}

// ignored returns the error for a query that failed: only that of ctx counts, as a
// host without the program or its subsystem has nothing to report.
func ignored(ctx context.Context) error { return context.Cause(ctx) }

// unitVariables returns those that systemd passes to a unit, in its order: those for
// all units, then those of the unit's file and drop-ins, each with the files that they
// name. The unit need not exist: drop-ins may already be there.
func unitVariables(h *host.Host, unit string) ([]variable, error) {
	var files []string
	for _, dir := range []string{"/usr/lib/systemd", "/run/systemd", "/etc/systemd"} {
		more, err := dropIns(h, dir+"/system.conf", dir+"/system.conf.d")
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	for _, dir := range []string{"/usr/lib/systemd/system/", "/run/systemd/system/", "/etc/systemd/system/"} {
		more, err := dropIns(h, dir+unit, dir+unit+".d")
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	var list []variable
	for _, file := range files {
		text, err := h.Text(file)
		if err != nil {
			return nil, err
		}
		more, err := unitFile(h, file, text)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// dropIns returns a file and its drop-ins in a directory.
func dropIns(h *host.Host, file, dir string) ([]string, error) {
	names, err := h.ReadDir(dir)
	list := []string{file}
	for _, n := range names {
		if path.Ext(n) == ".conf" {
			list = append(list, path.Join(dir, n))
		}
	}
	return list, err
}

// unitFile reads the variables from a unit's file: Environment=, DefaultEnvironment=
// for all units, and the files of EnvironmentFile=.
func unitFile(h *host.Host, file, text string) (list []variable, err error) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "Environment", "DefaultEnvironment":
			for _, pair := range quoted(value) {
				name, value, _ := strings.Cut(pair, "=")
				list = append(list, variable{name, value, file})
			}
		case "EnvironmentFile":
			more, err := environmentFile(h, strings.TrimPrefix(strings.TrimSpace(value), "-"))
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
	}
	return list, nil
}

// environmentFile reads NAME=VALUE lines; a missing file counts as empty.
func environmentFile(h *host.Host, file string) (list []variable, err error) {
	if !path.IsAbs(file) || strings.ContainsAny(file, "*?[%") {
		return nil, nil
	}
	text, err := h.Text(file)
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			list = append(list, variable{strings.TrimPrefix(name, "export "), strings.Trim(value, `"'`), file})
		}
	}
	return list, err
}

// quoted splits a line into words; quotes group them.
func quoted(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && slices.Contains([]rune{'"', '\''}, r):
			quote = r
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return words
}
