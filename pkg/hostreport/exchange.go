package hostreport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/signedjson"
	"kubecrate/pkg/step"
)

const (
	keyFile   = step.Dir + "/host.key"   // the key of this host's reports
	knownFile = step.Dir + "/hosts.json" // the known hosts and their keys
	rpmWait   = time.Minute              // timeout for the list of packages
	maxSays   = 300                      // bytes of Result.Says
	maxListed = 4                        // warnings of one kind, each about another report
)

// Options say for which host reports are exchanged, and where.
type Options struct {
	Stick string       // the stick's directory; "" without one: nothing is read or written
	Host  *host.Host   // this host
	Self  *facts.Facts // its facts when the run started
	// Networks tell their interfaces from the host's own.
	Networks cni.Networks
	Runtimes cri.Runtimes // the same

	VIP    string // the control plane's virtual address, which does not identify a host; "" without one
	Now    func() time.Time
	Report progress.Func
	// Keep writes one of install's own files to the host's disk.
	Keep func(path string, text []byte) error
}

// Exchange reads the reports of other hosts and writes this host's. Errors are
// warnings.
type Exchange struct {
	Options
	place    *media.Dir // the stick's directory when the run started, nil before
	signer   *signedjson.Signer
	kept     bool // signer is on the host's disk
	loaded   bool // others and known are read
	others   []*Report
	known    *KnownHosts // to be saved
	released bool        // the operator was asked to remove the stick
	mute     bool        // a failed write was reported
}

// NewExchange does not read or write anything yet.
func NewExchange(o Options) *Exchange { return &Exchange{Options: o} }

func (x *Exchange) warn(format string, args ...any) {
	x.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(format, args...)})
}

// Others returns the facts of the other hosts on the stick, each under its node
// name; they are read once. Unusable reports are reported and skipped.
func (x *Exchange) Others() []*facts.Facts {
	x.load()
	var list []*facts.Facts
	for _, r := range x.others {
		list = append(list, &r.Facts)
	}
	return list
}

func (x *Exchange) load() {
	if x.loaded || x.Stick == "" {
		return
	}
	x.loaded = true
	x.openSigner()
	stick := media.At(x.Stick)
	list, bad := ReadAll(stick)
	var unusable []string
	for _, err := range bad {
		unusable = append(unusable, err.Error()+"; ignored")
	}
	x.warnEach(unusable)
	own := func(r *Report) bool { return x.Self.Same(&r.Facts) }
	if i := slices.IndexFunc(list, own); i >= 0 && x.kept && list[i].Key != x.signer.Key() {
		x.warn("%s/%s is about this host but not signed with its key: it was modified, or written before a reset", Dir, list[i].File())
	}
	x.others = slices.DeleteFunc(list, own)
	x.compare()
	var unsigned []string
	for _, r := range x.others {
		if !r.Signed() {
			unsigned = append(unsigned, r.File())
		}
		if r.Result != nil {
			r.Hostname = r.Result.Node // its current or future name
		}
		r.withoutAddress(x.VIP)
	}
	if len(unsigned) > 0 {
		x.warn("used although not signed, so modifications cannot be detected: %s in %s", atMost(unsigned, ", "), stick.Join(Dir))
	}
}

// warnEach warns of each text up to a limit, and then of the number of further ones.
func (x *Exchange) warnEach(texts []string) {
	for _, text := range texts[:min(len(texts), maxListed)] {
		x.warn("%s", text)
	}
	if more := len(texts) - maxListed; more > 0 {
		x.warn("and %d more like this in %s", more, media.At(x.Stick).Join(Dir))
	}
}

// atMost joins a list, or its first maxListed members.
func atMost(list []string, separator string) string {
	if more := len(list) - maxListed; more > 0 {
		return strings.Join(list[:maxListed], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, separator)
}

// compare compares the keys of the reports with those of known hosts, and with each
// other. A report with a key mismatch does not replace a known host.
func (x *Exchange) compare() {
	x.known = &KnownHosts{}
	text, err := x.Host.ReadFile(knownFile)
	if err == nil {
		x.known, err = ParseKnownHosts(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		x.warn("cannot compare reports with the known hosts: %v", err)
	}
	byTime := slices.SortedFunc(slices.Values(x.others), func(a, b *Report) int { return a.Time.Compare(b.Time) })
	var mismatches []string
	for _, r := range byTime {
		switch mismatch := x.known.Mismatch(r); {
		case mismatch != "":
			mismatches = append(mismatches, fmt.Sprintf("%s: it may have been modified. If the host is genuine, forget the known keys on this host: rm %s", mismatch, knownFile))
		case r.Signed():
			x.known.Learn(r)
		}
	}
	x.warnEach(mismatches)
}

// withoutAddress removes the control plane's virtual address from r: holding it is
// not a duplicate address.
func (r *Report) withoutAddress(vip string) {
	for i := range r.Interfaces {
		r.Interfaces[i].Addresses = slices.DeleteFunc(r.Interfaces[i].Addresses, func(a facts.Address) bool {
			return a.Prefix.Addr().String() == vip
		})
	}
}

// openSigner reads this host's key, or creates one, which is not saved yet.
func (x *Exchange) openSigner() {
	text, err := x.Host.ReadFile(keyFile)
	if err == nil {
		if x.signer, err = signedjson.ParseSigner(text); err == nil {
			x.kept = true
			return
		}
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		x.warn("cannot read the key in %s; a new one replaces it: %v", keyFile, err)
	}
	if x.signer, err = signedjson.NewSigner(x.Now()); err != nil {
		x.warn("this host's report will not be signed: %v", err)
	}
}

// KeepKey saves this host's key and the known hosts, once the host is being changed.
func (x *Exchange) KeepKey() error {
	if x.signer == nil || x.kept {
		return nil
	}
	text, err := x.signer.Marshal()
	if err != nil {
		return err
	}
	if err := x.Keep(keyFile, text); err != nil {
		return err
	}
	x.kept = true
	return x.keepKnown()
}

// keepKnown saves the known hosts. The file is written even if there are none, so
// that a second run changes nothing.
func (x *Exchange) keepKnown() error {
	known := x.known
	if known == nil {
		known = &KnownHosts{}
	}
	text, err := known.Marshal()
	if err != nil {
		return err
	}
	if old, err := x.Host.ReadFile(knownFile); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return x.Keep(knownFile, text)
}

// Begin writes the first report of this host, even if its checks will fail: the
// checks of the next host need it. Later reports go to the same stick.
func (x *Exchange) Begin(r Result) {
	if x.Stick == "" {
		return
	}
	x.load()
	place, err := media.At(x.Stick).Pin()
	if err != nil {
		x.warn("cannot write this host's report to the stick: %v", err)
		return
	}
	x.place = &place
	x.write(x.Self, r)
}

// Release writes a last report before the stick is removed from this host.
func (x *Exchange) Release(ctx context.Context, r Result) {
	x.write(x.current(ctx), r)
	x.released = true
}

// Finish writes the final report. It reads the list of packages now: if they could
// not be installed, a bundle for this host has to be built from that list.
func (x *Exchange) Finish(ctx context.Context, r Result) {
	if x.place == nil {
		return
	}
	if x.kept {
		if err := x.keepKnown(); err != nil {
			x.warn("%v", err)
		}
	}
	x.write(x.current(ctx), r)
}

// current returns the host's present facts with its packages, or those of the start
// of the run.
func (x *Exchange) current(ctx context.Context) *facts.Facts {
	if x.place == nil || ctx.Err() != nil {
		return x.Self
	}
	ctx, cancel := context.WithTimeout(ctx, rpmWait)
	defer cancel()
	f, err := facts.Read(ctx, x.Host, facts.Options{Now: x.Now(), Packages: true, Networks: x.Networks, Runtimes: x.Runtimes})
	if err != nil {
		x.warn("this host's report has no list of packages: %v", err)
		return x.Self
	}
	return f
}

// Sentence returns the first line of an error without secrets.
func Sentence(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	text = regexp.MustCompile(`[a-z0-9]{6}\.[a-z0-9]{16}|(sha256:)?[0-9a-f]{64}`).ReplaceAllString(text, "(redacted)")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), maxSays)], "")
}

// write writes this host's report if the stick is still the one of the start of the
// run: below an empty mount point is the host's own disk.
func (x *Exchange) write(f *facts.Facts, result Result) {
	if x.place == nil || x.mute {
		return
	}
	r := New(f, result)
	var err error
	if x.signer != nil {
		err = r.Sign(x.signer)
	}
	if err == nil {
		_, err = r.Write(*x.place)
	}
	switch {
	case err == nil:
	case x.released:
		x.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: "this host's final report is not on the stick; to write it, insert the stick and run the same command again"})
	default:
		x.mute = true
		x.warn("cannot write this host's report to the stick, so later hosts cannot be compared with this one: %v", err)
	}
}

// Withdraw removes the report of a host that was reset from the stick, "" for none.
func Withdraw(ctx context.Context, h *host.Host, stick string, report progress.Func) {
	if stick == "" {
		return
	}
	dir := media.At(stick)
	if _, err := dir.List(Dir, 0, func(string) bool { return false }); errors.Is(err, fs.ErrNotExist) {
		return
	}
	f, err := facts.Read(ctx, h, facts.Options{Now: time.Now()})
	if err == nil {
		err = Remove(f, dir)
	}
	if err != nil {
		report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf("this host's report remains in %s: %v", dir.Join(Dir), err)})
	}
}
