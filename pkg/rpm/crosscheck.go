package rpm

import (
	"bytes"
	"fmt"
	"strconv"

	cavalier "github.com/cavaliergopher/rpm"
)

// crossCheck has a second, independent reader look at a package that is
// verified already, and refuses one that the two read differently: what we
// resolve must be what others install. That reader panics on odd headers and
// allocates what they claim, so it sees only bytes whose counts were checked,
// under recover; where it fails the result carries a warning, no error.
func (f *file) crossCheck(v *Verification) error {
	other, relations, err := f.secondOpinion()
	if err != nil {
		v.Warnings = append(v.Warnings, fmt.Sprintf("the second reader could not read it: %v", err))
		return nil
	}
	mine := v.Metadata.NEVRA
	if mine.Arch == "src" {
		other.Arch = mine.Arch // a source package states the machine that built it
	}
	if mine.Epoch == "" {
		mine.Epoch = "0" // the second reader knows no absent epoch
	}
	if mine != other {
		return corrupt("two readers disagree: %s and %s", mine, other)
	}
	if n := len(v.Metadata.Requires) + len(v.Metadata.Provides); n != relations {
		return corrupt("two readers disagree: %d and %d relations", n, relations)
	}
	return nil
}

func (f *file) secondOpinion() (n NEVRA, relations int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	padding := make([]byte, (8-len(f.signature.raw)%8)%8)
	p, err := cavalier.Read(bytes.NewReader(bytes.Join([][]byte{f.lead, f.signature.raw, padding, f.header.raw}, nil)))
	if err != nil {
		return NEVRA{}, 0, err
	}
	n = NEVRA{Name: p.Name(), Arch: p.Architecture(), EVR: EVR{Epoch: strconv.Itoa(p.Epoch()), Version: p.Version(), Release: p.Release()}}
	return n, len(p.Requires()) + len(p.Provides()), nil
}
