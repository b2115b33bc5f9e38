package install

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/signed"
	"kubecrate/pkg/step"
)

const (
	sheetsName = "hosts"      // the directory on the stick
	signerName = "host.key"   // in step.Dir: the key of this host's sheets
	tracesName = "hosts.json" // in step.Dir: which hosts were seen, and their keys
	maxTraces  = 4096         // hosts
	rpmWait    = time.Minute  // for the list of packages
	maxSays    = 300          // bytes of a sentence
)

// courier is what the stick carries between hosts: a sheet of each. Nothing that
// goes wrong with it stops an installation.
type courier struct {
	place  fs.FileInfo // of the stick's directory when the run began, nil without one
	signer *signed.Signer
	kept   bool // signer is on the host's disk
	read   bool // others and traces are read
	others []*facts.Facts
	traces []*facts.Facts // of hosts that were seen, to be kept
	let    bool           // the operator was told to pull the stick out
	mute   bool           // it was told that nothing can be written
}

func (s *site) sheets() string { return filepath.Join(s.stick(), sheetsName) }

func (s *site) warn(format string, args ...any) {
	s.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(format, args...)})
}

// others are the sheets of other hosts on the stick, read once. What cannot be
// used is told and left out.
func (s *site) others() []*facts.Facts {
	c := &s.courier
	if c.read || s.Archive == "" {
		return c.others
	}
	c.read = true
	s.openSigner()
	list, err := facts.ReadSheets(s.sheets())
	for _, err := range split(err) {
		s.warn("%v; it is not used", err)
	}
	own := func(f *facts.Facts) bool { return s.facts.Same(f) }
	if i := slices.IndexFunc(list, own); i >= 0 && c.kept && list[i].Key != c.signer.Key() {
		s.warn("%s/%s is of this host, and not signed by it: it was changed on the way, or is from before a reset", sheetsName, list[i].File())
	}
	c.others = slices.DeleteFunc(list, own)
	s.meet()
	var unsigned []string
	for _, f := range c.others {
		if !f.Signed() {
			unsigned = append(unsigned, f.File())
		}
		if f.Result != nil {
			f.Hostname = f.Result.Node // that it has, or is about to get
		}
		s.withoutVIP(f)
	}
	if len(unsigned) > 0 {
		s.warn("not signed, so a change on the way shows nowhere, and used all the same: %s in %s", strings.Join(unsigned, ", "), s.sheets())
	}
	return c.others
}

func split(err error) []error {
	if err == nil {
		return nil
	}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		return list.Unwrap()
	}
	return []error{err}
}

// meet compares the keys of the sheets with those of hosts seen before, here and
// among themselves. One that is in doubt does not replace what is known.
func (s *site) meet() {
	c := &s.courier
	text, err := s.host.ReadFile(step.Dir + "/" + tracesName)
	if err == nil {
		err = json.Unmarshal(text, &c.traces)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		s.warn("cannot tell which hosts were seen before: %v", err)
	}
	c.traces = slices.DeleteFunc(c.traces, func(t *facts.Facts) bool { return t == nil })
	byTime := slices.SortedFunc(slices.Values(c.others), func(a, b *facts.Facts) int { return a.Time.Compare(b.Time) })
	for _, f := range byTime {
		doubt := ""
		for _, t := range c.traces {
			if d := f.Doubt(t); d != "" {
				doubt = d
			}
		}
		switch {
		case doubt != "":
			s.warn("%s: it may have been changed on the way. If that host is right: rm %s/%s here forgets its key", doubt, step.Dir, tracesName)
		case f.Signed():
			c.traces = append(slices.DeleteFunc(c.traces, f.Same), f.Trace())
		}
	}
	c.traces = c.traces[max(0, len(c.traces)-maxTraces):]
}

// withoutVIP takes the control plane's virtual address out of f: whichever master
// holds it is no other host with that address.
func (s *site) withoutVIP(f *facts.Facts) {
	if s.cluster.VIP == nil {
		return
	}
	for i := range f.Interfaces {
		f.Interfaces[i].Addresses = slices.DeleteFunc(f.Interfaces[i].Addresses, func(a facts.Address) bool {
			return a.Prefix.Addr().String() == s.cluster.VIP.Address
		})
	}
}

// openSigner reads this host's key, or makes one, which is not on the disk yet.
func (s *site) openSigner() {
	c := &s.courier
	text, err := s.host.ReadFile(step.Dir + "/" + signerName)
	if err == nil {
		if c.signer, err = signed.ParseSigner(text); err == nil {
			c.kept = true
			return
		}
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		s.warn("cannot read the key in %s/%s, a new one takes its place: %v", step.Dir, signerName, err)
	}
	if c.signer, err = signed.NewSigner(time.Now()); err != nil {
		s.warn("the sheet of this host will not be signed: %v", err)
	}
}

// keepSigner brings the key to the host's disk, once the host is being changed.
func (s *site) keepSigner() error {
	c := &s.courier
	if c.signer == nil || c.kept {
		return nil
	}
	text, err := c.signer.Marshal()
	if err != nil {
		return err
	}
	if err := keep(s.host, signerName, text); err != nil {
		return err
	}
	c.kept = true
	return s.keepTraces()
}

// keepTraces brings to the disk which hosts were seen. There is a file also where
// none was: a second run changes nothing.
func (s *site) keepTraces() error {
	text, err := json.Marshal(append([]*facts.Facts{}, s.courier.traces...))
	if err != nil {
		return fmt.Errorf("cannot note the hosts that were seen: %w", err)
	}
	if old, err := s.host.ReadFile(step.Dir + "/" + tracesName); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return keep(s.host, tracesName, text)
}

// arrive leaves the first sheet of this host, also for a host whose checks fail:
// those of the next host need it.
func (s *site) arrive() {
	if s.Archive == "" {
		return
	}
	s.others()
	place, err := os.Stat(s.stick())
	if err != nil {
		s.warn("cannot leave the facts of this host on the stick: %v", err)
		return
	}
	s.courier.place = place
	s.leave(s.facts, false, "the installation is under way")
}

// wait leaves the last sheet before the stick goes on without this host.
func (s *site) waits(ctx context.Context) {
	s.leave(s.now(ctx), false, "it waits for its master")
	s.courier.let = true
}

// depart leaves what the host became. The list of its packages is read now: where
// they could not be installed it is what a bundle for this host has to know.
func (s *site) depart(ctx context.Context, err error) {
	if s.courier.place == nil {
		return
	}
	if s.courier.kept {
		if err := s.keepTraces(); err != nil {
			s.warn("%v", err)
		}
	}
	says := fmt.Sprintf("Ready, a %s of %s", s.role, s.bundle())
	var failed *preflight.Error
	switch {
	case ctx.Err() != nil:
		says = "the installation was interrupted"
	case errors.As(err, &failed):
		var names []string
		for _, f := range failed.Failed {
			names = append(names, f.Name)
		}
		says = "checks before the installation failed: " + strings.Join(slices.Compact(names), ", ")
	case err != nil:
		says = s.sentence(err)
	}
	s.leave(s.now(ctx), err == nil, says)
}

// now is what the host is by now, with its packages, or as far as it is known.
func (s *site) now(ctx context.Context) *facts.Facts {
	if s.courier.place == nil || ctx.Err() != nil {
		return s.facts
	}
	ctx, cancel := context.WithTimeout(ctx, rpmWait)
	defer cancel()
	f, err := facts.Read(ctx, s.host, facts.Options{Now: time.Now(), Packages: true})
	if err != nil {
		s.warn("the sheet of this host has no list of packages: %v", err)
		return s.facts
	}
	return f
}

// sentence is the first line of an error, without what nobody else may read.
func (s *site) sentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	text = regexp.MustCompile(`[a-z0-9]{6}\.[a-z0-9]{16}|(sha256:)?[0-9a-f]{64}`).ReplaceAllString(text, "(left out)")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), maxSays)], "")
}

// leave writes the sheet of this host, where the stick is still the one that the
// run began with: below its mount point is the host's own disk.
func (s *site) leave(f *facts.Facts, ready bool, says string) {
	c := &s.courier
	if c.place == nil || c.mute {
		return
	}
	sheet := *f
	sheet.Result = &facts.Result{Bundle: s.bundle(), Role: s.role, Node: s.nodeName(), Ready: ready, Says: says}
	here, err := os.Stat(s.stick())
	if err == nil && !os.SameFile(here, c.place) {
		err = errors.New("it is not here any more")
	}
	if err == nil && c.signer != nil {
		err = sheet.Sign(c.signer)
	}
	if err == nil {
		_, err = sheet.Save(s.sheets())
	}
	switch {
	case err == nil:
	case c.let:
		s.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: "what this host became is not on the stick; with the stick in, the same command writes it there"})
	default:
		c.mute = true
		s.warn("cannot leave the facts of this host on the stick, and the hosts after it are not compared with it: %v", err)
	}
}

// withdraw takes the sheet of a host that was reset off the stick.
func withdraw(ctx context.Context, h *host.Host, o Settings) {
	if o.Archive == "" {
		return
	}
	dir := filepath.Join(o.stick(), sheetsName)
	if _, err := os.Stat(dir); err != nil {
		return
	}
	f, err := facts.Read(ctx, h, facts.Options{Now: time.Now()})
	if err == nil {
		err = f.Withdraw(dir)
	}
	if err != nil {
		o.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf("the sheet of this host stays in %s: %v", dir, err)})
	}
}
