package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/signed"
	"kubecrate/pkg/step"
)

const (
	signerName = "host.key"   // in step.Dir: the key of this host's sheets
	knownName  = "hosts.json" // in step.Dir: which hosts were seen, and their keys
	rpmWait    = time.Minute  // for the list of packages
	maxSays    = 300          // bytes of a sentence
	maxTold    = 4            // warnings of a kind, each of another sheet
)

// courier is what the stick carries between hosts: a sheet of each. Nothing that
// goes wrong with it stops an installation.
type courier struct {
	place  *media.Dir // the stick's directory when the run began, nil without one
	signer *signed.Signer
	kept   bool // signer is on the host's disk
	read   bool // others and known are read
	others []*facts.Facts
	known  *facts.KnownHosts // that were seen, to be kept
	let    bool              // the operator was told to pull the stick out
	mute   bool              // it was told that nothing can be written
}

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
	list, bad := facts.ReadSheets(media.At(s.stick()))
	var told []string
	for _, err := range bad {
		told = append(told, err.Error()+"; it is not used")
	}
	s.warnEach(told)
	own := func(f *facts.Facts) bool { return s.facts.Same(f) }
	if i := slices.IndexFunc(list, own); i >= 0 && c.kept && list[i].Key != c.signer.Key() {
		s.warn("%s/%s is of this host, and not signed by it: it was changed on the way, or is from before a reset", facts.SheetsDir, list[i].File())
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
		s.warn("not signed, so a change on the way shows nowhere, and used all the same: %s in %s", atMost(unsigned, ", "), filepath.Join(s.stick(), facts.SheetsDir))
	}
	return c.others
}

// warnEach warns of each, and of very many only how many there are.
func (s *site) warnEach(texts []string) {
	for _, text := range texts[:min(len(texts), maxTold)] {
		s.warn("%s", text)
	}
	if more := len(texts) - maxTold; more > 0 {
		s.warn("and %d more of the kind in %s", more, filepath.Join(s.stick(), facts.SheetsDir))
	}
}

// atMost joins a list, or its beginning.
func atMost(list []string, separator string) string {
	if more := len(list) - maxTold; more > 0 {
		return strings.Join(list[:maxTold], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, separator)
}

// meet compares the keys of the sheets with those of hosts seen before, here and
// among themselves. One that is in doubt does not replace what is known.
func (s *site) meet() {
	c := &s.courier
	c.known = &facts.KnownHosts{}
	text, err := s.host.ReadFile(step.Dir + "/" + knownName)
	if err == nil {
		c.known, err = facts.ParseKnownHosts(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		s.warn("cannot tell which hosts were seen before: %v", err)
	}
	byTime := slices.SortedFunc(slices.Values(c.others), func(a, b *facts.Facts) int { return a.Time.Compare(b.Time) })
	var doubts []string
	for _, f := range byTime {
		switch doubt := c.known.Mismatch(f); {
		case doubt != "":
			doubts = append(doubts, fmt.Sprintf("%s: it may have been changed on the way. If that host is right: rm %s/%s here forgets its key", doubt, step.Dir, knownName))
		case f.Signed():
			c.known.Learn(f)
		}
	}
	s.warnEach(doubts)
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
	return s.keepKnown()
}

// keepKnown brings to the disk which hosts were seen. There is a file also where
// none was: a second run changes nothing.
func (s *site) keepKnown() error {
	known := s.courier.known
	if known == nil {
		known = &facts.KnownHosts{}
	}
	text, err := known.Marshal()
	if err != nil {
		return err
	}
	if old, err := s.host.ReadFile(step.Dir + "/" + knownName); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return keep(s.host, knownName, text)
}

// arrive leaves the first sheet of this host, also for a host whose checks fail:
// those of the next host need it.
func (s *site) arrive() {
	if s.Archive == "" {
		return
	}
	s.others()
	place, err := media.At(s.stick()).Pin()
	if err != nil {
		s.warn("cannot leave the facts of this host on the stick: %v", err)
		return
	}
	s.courier.place = &place
	s.leave(s.facts, false, "the installation is under way")
}

// waits leaves the last sheet before the stick goes on without this host.
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
		if err := s.keepKnown(); err != nil {
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
	sheet := f.Sheet(&facts.Result{Bundle: s.bundle(), Role: s.role, Node: s.nodeName(), Ready: ready, Says: says})
	var err error
	if c.signer != nil {
		err = sheet.Sign(c.signer)
	}
	if err == nil {
		_, err = sheet.Save(*c.place)
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
	stick := media.At(o.stick())
	if _, err := stick.List(facts.SheetsDir, 0, func(string) bool { return false }); errors.Is(err, fs.ErrNotExist) {
		return
	}
	f, err := facts.Read(ctx, h, facts.Options{Now: time.Now()})
	if err == nil {
		err = f.Withdraw(stick)
	}
	if err != nil {
		o.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf("the sheet of this host stays in %s: %v", stick.Join(facts.SheetsDir), err)})
	}
}
