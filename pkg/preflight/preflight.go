// Package preflight checks whether a host meets the requirements of its role, before
// anything on it is changed. Every check runs, and all problems are reported together,
// each with the command that fixes it.
package preflight

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
	"kubecrate/pkg/suggest"
	"kubecrate/pkg/table"
)

// Options say which role the host gets, and what is known. Role, Facts and Manifest
// are required; the rest may be empty.
type Options struct {
	Role     manifest.Role
	Facts    *facts.Facts       // of this host, read now
	Networks cni.Networks       // that are known; nil is all of this version
	Runtimes cri.Runtimes       // the same
	Manifest *manifest.Manifest // the bundle's
	Lock     *manifest.Lock     // the bundle's: programs in its packages are not reported missing
	Software software.Source    // how the bundle's programs are installed
	Cluster  *manifest.Cluster  // nil is the default one
	Ticket   *manifest.Ticket   // nil for the first master
	// TicketErr is why a ticket that the host needs is missing or unusable.
	TicketErr error
	// Others are reports of other hosts; one of this host is ignored. They are not
	// authenticated: a problem based on them alone is a warning, and their values
	// are not used in commands.
	Others []*facts.Facts

	Hostname  string // to set on the host, "" for the one of cluster.yaml or its own
	Advertise string // the flag --advertise-address, "" without
	Interface string // the flag --interface, "" without

	Needs     []Need        // space still needed, see NeedsOf
	NotBefore time.Time     // a time known to have passed; zero is 2020
	Tolerance time.Duration // of clocks; 0 is a minute

	EUID    int      // of this process: 0 is root
	Command string   // how the program was called, for hints; "" if that contains a secret
	Environ []string // of this process, as os.Environ has it
	// Ours says that an earlier run started kubeadm on this host: the resulting
	// listeners and files are not problems.
	Ours bool
	Skip []string // names of checks that only warn, see CheckSkip
}

// State of a check.
type State string

// The states. A check with a warning does not stop an installation.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
)

// Check is one finding. A check that finds several problems has one for each.
// Hint is the command or sentence that fixes it.
type Check struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Step    bool   `json:"step,omitempty"` // a step of the installation, which cannot be skipped
}

// Result is what all checks found, in order.
type Result struct {
	Role   manifest.Role `json:"role"`
	Checks []Check       `json:"checks"`
}

// check is a check: look reports to f what it finds; ask, used instead of look, may
// also run read-only programs. The returned error means that the host could not be
// examined.
type check struct {
	name string
	look func(h *host.Host, o *Options, f *found) error
	ask  func(ctx context.Context, h *host.Host, o *Options, f *found) error
}

// checks lists them in the order in which they are reported.
func checks() []check {
	return []check{
		{name: "root", look: root},
		{name: "os", look: system},
		{name: "arch", look: arch},
		{name: "bundle", look: bundled},
		{name: "processor", look: processor},
		{name: "kernel", look: kernel},
		{name: "systemd", look: systemd},
		{name: "cgroups", look: cgroups},
		{name: "cpus", look: cpus},
		{name: "memory", look: memory},
		{name: "mounts", look: mounts},
		{name: "disk", look: disk},
		{name: "files", look: files},
		{name: "programs", look: programs},
		{name: "hostname", look: hostname},
		{name: "cluster", look: cluster},
		{name: "duplicates", look: duplicates},
		{name: "address", look: address},
		{name: "interface", look: iface},
		{name: "reach", look: reach},
		{name: "networks", look: networks},
		{name: "proxy", ask: proxy},
		{name: "ports", look: ports},
		{name: "clock", look: clock},
		{name: "ticket", look: ticket},
		{name: "earlier", look: earlier},
		{name: "cni", look: networkFiles},
		{name: "leftovers", ask: leftovers},
		{name: "filter", ask: filter},
	}
}

// Names lists the checks, as Options.Skip takes them.
func Names() []string {
	var list []string
	for _, c := range checks() {
		list = append(list, c.name)
	}
	return list
}

// Skippable lists the checks that can be skipped. Skipping the check os is possible
// but never suggested.
func Skippable() []string {
	return slices.DeleteFunc(Names(), func(n string) bool { return n != "os" && slices.Contains(essential(), n) })
}

// CheckSkip returns an error if one of names is not a check or cannot be skipped.
func CheckSkip(names []string) error {
	known := Skippable()
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		if slices.Contains(Names(), n) {
			return hint.With(fmt.Errorf("the check %s cannot be skipped: installation is impossible if it fails", n), "checks that can be skipped: %s", strings.Join(known, ", "))
		}
		guess := slices.MinFunc(known, func(a, b string) int { return suggest.Distance(n, a) - suggest.Distance(n, b) })
		return hint.With(fmt.Errorf("unknown check %q, did you mean %q?", n, guess), "checks that can be skipped: %s", strings.Join(known, ", "))
	}
	return nil
}

// Run checks h and changes nothing. It stops early only if ctx ends; the checks that
// did not run are not in the result.
func Run(ctx context.Context, h *host.Host, o Options) *Result {
	o.defaults()
	h = h.With(nil)
	r := &Result{Role: o.Role}
	for _, c := range checks() {
		if ctx.Err() != nil {
			return r
		}
		f := &found{name: c.name}
		look := c.ask
		if look == nil {
			look = func(_ context.Context, h *host.Host, o *Options, f *found) error { return c.look(h, o, f) }
		}
		if err := look(ctx, h, &o, f); err != nil {
			f.fail(hint.Of(err), "cannot check: %v", err)
		}
		if slices.Contains(o.Skip, c.name) {
			f.forgive()
		}
		r.Checks = append(r.Checks, f.list...)
	}
	return r
}

func (o *Options) defaults() {
	const firstYear = 2020 // no bundle is older
	if o.Cluster == nil {
		o.Cluster = manifest.DefaultCluster()
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Tolerance == 0 {
		o.Tolerance = time.Minute
	}
	o.Others = slices.DeleteFunc(slices.Clone(o.Others), o.Facts.Same)
}

// controls reports whether the host gets a control plane.
func (o *Options) controls() bool { return o.Role != manifest.Node }

// found collects what a check finds.
type found struct {
	name string
	list []Check
}

func (f *found) ok(format string, args ...any) { f.add(OK, "", format, args...) }

func (f *found) warn(fix, format string, args ...any) { f.add(Warning, fix, format, args...) }

func (f *found) fail(fix, format string, args ...any) { f.add(Failed, fix, format, args...) }

func (f *found) add(s State, fix, format string, args ...any) {
	// A check is one line: a multi-line error is joined.
	message := strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf(format, args...)), "\n", "; ")
	f.list = append(f.list, Check{Name: f.name, State: s, Message: message, Hint: fix})
}

// okIf adds an ok result unless the check found a problem.
func (f *found) okIf(format string, args ...any) {
	if len(f.list) == 0 {
		f.ok(format, args...)
	}
}

// forgive turns failures into warnings.
func (f *found) forgive() {
	for i := range f.list {
		if f.list[i].State == Failed {
			f.list[i].State = Warning
			f.list[i].Message += " (skipped)"
		}
	}
}

// Of returns the findings of one state.
func (r *Result) Of(s State) []Check {
	var list []Check
	for _, c := range r.Checks {
		if c.State == s {
			list = append(list, c)
		}
	}
	return list
}

// Err returns an *Error with everything that failed, nil if nothing did.
func (r *Result) Err() error {
	failed := r.Of(Failed)
	if len(failed) == 0 {
		return nil
	}
	err := &Error{Role: r.Role, Failed: failed}
	const again = "fix these and run the same command again; nothing was changed"
	var names []string
	for _, c := range failed {
		if c.Step || slices.Contains(essential(), c.Name) {
			return hint.With(err, again)
		}
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return hint.With(err, again+". To continue anyway: --skip-preflight %s", strings.Join(names, ","))
}

// essential lists the checks without which an installation cannot succeed: skipping
// them is never suggested.
func essential() []string {
	return []string{"root", "os", "arch", "systemd", "address", "interface", "ticket"}
}

// Error is what failed.
type Error struct {
	Role   manifest.Role
	Failed []Check
}

// Error has a line for each failed check, and one for its hint.
func (e *Error) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines returns the lines of Error.
func (e *Error) Lines() []string {
	list := []string{fmt.Sprintf("this host does not meet the requirements of a %s, %s:", roleName(e.Role), count(len(e.Failed), "problem"))}
	for _, c := range e.Failed {
		list = append(list, fmt.Sprintf("  %s: %s", c.Name, c.Message))
		if c.Hint != "" {
			list = append(list, "      hint: "+c.Hint)
		}
	}
	return list
}

// ExitCode is cli.ExitPreflight.
func (*Error) ExitCode() int { return 3 }

// roleName is a role within a sentence.
func roleName(r manifest.Role) string {
	if r == manifest.Single {
		return "single host"
	}
	return string(r)
}

// WriteText prints one finding a line, and its hint below it.
func (r *Result) WriteText(w io.Writer) error {
	out := table.New(w)
	for _, c := range r.Checks {
		out.Line("%s\t%s\t%s", c.State, c.Name, c.Message)
		if c.Hint != "" {
			out.Line("\t\thint: %s", c.Hint)
		}
	}
	out.Line("")
	out.Line("%s: %d failed, %s, %d ok", roleName(r.Role), len(r.Of(Failed)), count(len(r.Of(Warning)), "warning"), len(r.Of(OK)))
	return out.Flush()
}
