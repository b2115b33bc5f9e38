package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"

	"kubecrate/pkg/progress"
)

// Verify reads every byte of the members that filter selects, headers and padding
// included, and compares it with the index; a nil filter reads the whole archive,
// to its last byte. It returns nil if everything is intact. Otherwise the error is
// a *DamageError or a join of several, one for each damaged member, in archive
// order; see Damages.
func (r *Reader) Verify(ctx context.Context, filter func(Member) bool, report progress.Func) error {
	v := &verifier{r: r, reasons: make([]string, len(r.index.Members)+2), sum: sha256.New()}
	var errs []error
	var sums []uint32
	if r.damage != nil {
		errs = append(errs, r.damage)
	} else {
		var err error
		if sums, err = r.table.readChecks(r.src); err != nil && filter == nil {
			errs = append(errs, asDamage(err))
		}
	}
	if filter == nil {
		if err := checkSpelling(r.text); err != nil {
			errs = append(errs, &DamageError{Path: IndexName, Reason: err.Error()})
		}
	}
	list := v.choose(filter)
	if err := v.run(ctx, list, sums, report); err != nil {
		return fmt.Errorf("cannot verify archive: %w", err)
	}
	errs = append(errs, v.damages()...)
	if len(errs) == 1 {
		return hinted(errs[0], r.src)
	}
	return hinted(errors.Join(errs...), r.src)
}

// Damages lists every *DamageError in an error of Verify, in order.
func Damages(err error) []*DamageError {
	var list []*DamageError
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // walks the tree itself
		case nil:
		case *DamageError:
			list = append(list, e)
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		default:
			walk(errors.Unwrap(err))
		}
	}
	walk(err)
	return list
}

// asDamage turns any error into damage: unreadable data is damaged too.
func asDamage(err error) error {
	var d *DamageError
	if errors.As(err, &d) {
		return d
	}
	return &DamageError{Reason: err.Error()}
}

// segment is a part of the tar stream: either bytes that are known in advance, or
// the content of a member. member counts from 0 for index.json; the last number is
// the end of the tar stream.
type segment struct {
	from, to int64
	member   int
	want     []byte // nil for content
}

// verifier compares a tar stream with segments.
type verifier struct {
	r        *Reader
	segments []segment
	reasons  []string // by member, "" if intact
	sum      hash.Hash
	next     int // the first unfinished segment
}

// choose computes the segments and lists the frames that hold them.
func (v *verifier) choose(filter func(Member) bool) []need {
	if filter == nil {
		v.add(0, header(indexArtifact(int64(len(v.r.text)))), 0)
		v.add(blockSize, v.r.text, 0)
	}
	for i, m := range v.r.index.Members {
		if filter != nil && !filter(m) {
			continue
		}
		head := header(m.Artifact)
		v.add(m.Offset-int64(len(head)), head, i+1)
		v.segments = append(v.segments, segment{from: m.Offset, to: m.Offset + m.Size, member: i + 1})
		v.add(m.Offset+m.Size, make([]byte, roundUp(m.Size)-m.Size), i+1)
	}
	if filter == nil {
		end := contentEnd(v.r.index, int64(len(v.r.text)))
		v.add(end, make([]byte, 2*blockSize), len(v.r.index.Members)+1)
	}
	var list []need
	for _, s := range v.segments {
		list = v.r.need(list, s.from, s.to)
	}
	return list
}

func (v *verifier) add(at int64, want []byte, member int) {
	if len(want) > 0 {
		v.segments = append(v.segments, segment{from: at, to: at + int64(len(want)), member: member, want: want})
	}
}

// run reads the frames of list and compares.
func (v *verifier) run(ctx context.Context, list []need, sums []uint32, report progress.Func) error {
	const verify = "verify"
	task := v.r.index.Name
	var total int64
	for _, n := range list {
		total += int64(v.r.table.frames[n.frame].decompressed)
	}
	report.Report(progress.Event{Kind: progress.Start, Stage: verify, Task: task, Total: total})
	p := v.r.chunks(list, max(readAhead, runtime.GOMAXPROCS(0)), sums)
	defer p.stop()
	for {
		if ctx.Err() != nil {
			report.Report(progress.Event{Kind: progress.Stopped, Stage: verify, Task: task})
			return context.Cause(ctx)
		}
		next, ok := p.next()
		if !ok {
			break
		}
		v.chunk(next)
		if next.b != nil {
			report.Report(progress.Event{Kind: progress.Advance, Stage: verify, Task: task, Bytes: next.size, Total: total})
		}
	}
	for ; v.next < len(v.segments); v.next++ {
		v.blame(v.segments[v.next], "the archive ends before this member")
	}
	report.Report(progress.Event{Kind: progress.Done, Stage: verify, Task: task, Bytes: total})
	return nil
}

// chunk compares a chunk with the segments that it overlaps.
func (v *verifier) chunk(p chunk) {
	end := p.at + p.size
	switch {
	case p.err != nil:
		v.blameAll(p, asDamage(p.err).(*DamageError).Reason) //nolint:errorlint,forcetypeassert // made one line above
	case p.changed && p.b == nil:
		v.blameAll(p, errChanged.Error())
	}
	for v.next < len(v.segments) && v.segments[v.next].from < end {
		s := v.segments[v.next]
		if p.b != nil {
			v.compare(s, p.b[max(0, s.from-p.at):min(p.size, s.to-p.at)], max(s.from, p.at))
		}
		if s.to > end {
			break
		}
		v.finish(s)
		v.next++
	}
	if p.changed && p.b != nil {
		v.blameAll(p, errChanged.Error())
	}
}

// compare compares b, which starts at offset at within s.
func (v *verifier) compare(s segment, b []byte, at int64) {
	if s.want == nil {
		v.sum.Write(b)
		return
	}
	if bytes.Equal(b, s.want[at-s.from:at-s.from+int64(len(b))]) {
		return
	}
	v.blame(s, "its tar header or padding does not match the index")
}

// finish compares the hash of a member at the end of its content.
func (v *verifier) finish(s segment) {
	if s.want != nil {
		return
	}
	if want := v.r.index.Members[s.member-1].SHA256; hex.EncodeToString(v.sum.Sum(nil)) != want {
		v.blame(s, "its content does not match the SHA-256 in the index")
	}
	v.sum.Reset()
}

// blame records the first reason why the member of s is damaged.
func (v *verifier) blame(s segment, reason string) {
	if v.reasons[s.member] == "" {
		v.reasons[s.member] = reason
	}
}

// blameAll blames every member that the chunk overlaps.
func (v *verifier) blameAll(p chunk, reason string) {
	for _, s := range v.segments {
		if s.from < p.at+p.size && s.to > p.at {
			v.blame(s, reason)
		}
	}
}

// damages lists all damage in archive order.
func (v *verifier) damages() []error {
	var errs []error
	for i, reason := range v.reasons {
		switch {
		case reason == "":
		case i == 0:
			errs = append(errs, &DamageError{Path: IndexName, Reason: reason})
		case i <= len(v.r.index.Members):
			errs = append(errs, &DamageError{Path: v.r.index.Members[i-1].Path, Reason: reason})
		default:
			errs = append(errs, &DamageError{Reason: "the end of the tar stream: " + reason})
		}
	}
	return errs
}
