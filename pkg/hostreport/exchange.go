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
	"kubecrate/pkg/signed"
	"kubecrate/pkg/step"
)

const (
	keyFile   = step.Dir + "/host.key"   // the key of this host's reports
	knownFile = step.Dir + "/hosts.json" // which hosts were seen, and their keys
	rpmWait   = time.Minute              // for the list of packages
	maxSays   = 300                      // bytes of a sentence
	maxListed = 4                        // warnings of a kind, each of another report
)

// Options say whose reports are exchanged, and where.
type Options struct {
	Stick string       // the stick's directory; "" without one, and then nothing is read or written
	Host  *host.Host   // this host
	Self  *facts.Facts // what it was when the run began
	// Networks are those whose interfaces are told from the host's own.
	Networks cni.Networks
	Runtimes cri.Runtimes // the same

	VIP    string // the control plane's virtual address, which is no host's own; "" without one
	Now    func() time.Time
	Report progress.Func
	// Keep brings a file of the installer's own to the host's disk, by its path.
	Keep func(path string, text []byte) error
}

// Exchange reads the reports of other hosts and leaves those of this one. What
// goes wrong is a warning.
type Exchange struct {
	Options
	place    *media.Dir // the stick's directory when the run began, nil before
	signer   *signed.Signer
	kept     bool // signer is on the host's disk
	loaded   bool // others and known are read
	others   []*Report
	known    *KnownHosts // that were seen, to be kept
	released bool        // the operator was asked to pull the stick out
	mute     bool        // it was reported that nothing can be written
}

// NewExchange reads and writes nothing yet.
func NewExchange(o Options) *Exchange { return &Exchange{Options: o} }

func (x *Exchange) warn(format string, args ...any) {
	x.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(format, args...)})
}

// Others are the facts of the other hosts on the stick, each under the name that
// it has in the cluster; they are read once. What cannot be used is reported
// and left out.
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
		unusable = append(unusable, err.Error()+"; it is not used")
	}
	x.warnEach(unusable)
	own := func(r *Report) bool { return x.Self.Same(&r.Facts) }
	if i := slices.IndexFunc(list, own); i >= 0 && x.kept && list[i].Key != x.signer.Key() {
		x.warn("%s/%s is of this host, and not signed by it: it was changed on the way, or is from before a reset", Dir, list[i].File())
	}
	x.others = slices.DeleteFunc(list, own)
	x.compare()
	var unsigned []string
	for _, r := range x.others {
		if !r.Signed() {
			unsigned = append(unsigned, r.File())
		}
		if r.Result != nil {
			r.Hostname = r.Result.Node // that it has, or is about to get
		}
		r.withoutAddress(x.VIP)
	}
	if len(unsigned) > 0 {
		x.warn("not signed, so a change on the way shows nowhere, and used all the same: %s in %s", atMost(unsigned, ", "), stick.Join(Dir))
	}
}

// warnEach warns of each, and of very many only how many there are.
func (x *Exchange) warnEach(texts []string) {
	for _, text := range texts[:min(len(texts), maxListed)] {
		x.warn("%s", text)
	}
	if more := len(texts) - maxListed; more > 0 {
		x.warn("and %d more of the kind in %s", more, media.At(x.Stick).Join(Dir))
	}
}

// atMost joins a list, or its beginning.
func atMost(list []string, separator string) string {
	if more := len(list) - maxListed; more > 0 {
		return strings.Join(list[:maxListed], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, separator)
}

// compare compares the keys of the reports with those of hosts seen before, here
// and among themselves. One with a mismatch does not replace what is known.
func (x *Exchange) compare() {
	x.known = &KnownHosts{}
	text, err := x.Host.ReadFile(knownFile)
	if err == nil {
		x.known, err = ParseKnownHosts(text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		x.warn("cannot tell which hosts were seen before: %v", err)
	}
	byTime := slices.SortedFunc(slices.Values(x.others), func(a, b *Report) int { return a.Time.Compare(b.Time) })
	var mismatches []string
	for _, r := range byTime {
		switch mismatch := x.known.Mismatch(r); {
		case mismatch != "":
			mismatches = append(mismatches, fmt.Sprintf("%s: it may have been changed on the way. If that host is right: rm %s here forgets its key", mismatch, knownFile))
		case r.Signed():
			x.known.Learn(r)
		}
	}
	x.warnEach(mismatches)
}

// withoutAddress takes the control plane's virtual address out of r: whichever
// master holds it is no other host with that address.
func (r *Report) withoutAddress(vip string) {
	for i := range r.Interfaces {
		r.Interfaces[i].Addresses = slices.DeleteFunc(r.Interfaces[i].Addresses, func(a facts.Address) bool {
			return a.Prefix.Addr().String() == vip
		})
	}
}

// openSigner reads this host's key, or makes one, which is not on the disk yet.
func (x *Exchange) openSigner() {
	text, err := x.Host.ReadFile(keyFile)
	if err == nil {
		if x.signer, err = signed.ParseSigner(text); err == nil {
			x.kept = true
			return
		}
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		x.warn("cannot read the key in %s, a new one takes its place: %v", keyFile, err)
	}
	if x.signer, err = signed.NewSigner(x.Now()); err != nil {
		x.warn("the sheet of this host will not be signed: %v", err)
	}
}

// KeepKey brings this host's key to its disk, once the host is being changed, and
// with it which hosts were seen.
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

// keepKnown brings to the disk which hosts were seen. There is a file also where
// none was: a second run changes nothing.
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

// Begin leaves the first report of this host, also for a host whose checks fail:
// those of the next host need it. The stick at hand now is the one that later
// reports go to.
func (x *Exchange) Begin(r Result) {
	if x.Stick == "" {
		return
	}
	x.load()
	place, err := media.At(x.Stick).Pin()
	if err != nil {
		x.warn("cannot leave the facts of this host on the stick: %v", err)
		return
	}
	x.place = &place
	x.write(x.Self, r)
}

// Release leaves a last report before the stick goes on without this host.
func (x *Exchange) Release(ctx context.Context, r Result) {
	x.write(x.current(ctx), r)
	x.released = true
}

// Finish leaves what the host became. The list of its packages is read now: where
// they could not be installed it is what a bundle for this host has to know.
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

// current is what the host is by now, with its packages, or as far as it is known.
func (x *Exchange) current(ctx context.Context) *facts.Facts {
	if x.place == nil || ctx.Err() != nil {
		return x.Self
	}
	ctx, cancel := context.WithTimeout(ctx, rpmWait)
	defer cancel()
	f, err := facts.Read(ctx, x.Host, facts.Options{Now: x.Now(), Packages: true, Networks: x.Networks, Runtimes: x.Runtimes})
	if err != nil {
		x.warn("the sheet of this host has no list of packages: %v", err)
		return x.Self
	}
	return f
}

// Sentence is the first line of an error, without what nobody else may read.
func Sentence(err error) string {
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

// write writes the report of this host, where the stick is still the one that the
// run began with: below its mount point is the host's own disk.
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
		x.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: "what this host became is not on the stick; with the stick in, the same command writes it there"})
	default:
		x.mute = true
		x.warn("cannot leave the facts of this host on the stick, and the hosts after it are not compared with it: %v", err)
	}
}

// Withdraw takes the report of a host that was reset off the stick, "" for none.
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
		report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf("the sheet of this host stays in %s: %v", dir.Join(Dir), err)})
	}
}
