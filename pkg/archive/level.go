package archive

import (
	"fmt"
	"strings"

	"github.com/klauspost/compress/zstd"

	"kubecrate/pkg/suggest"
)

// Level is a compression level.
type Level int

// The levels. Fast, Default and Better differ only in speed and size; Best
// compresses the members of a group as one solid stream, see Entry.
const (
	Fast Level = iota
	Default
	Better
	Best
)

// scheme holds the encoder settings of a level. Sizes are in bytes.
type scheme struct {
	name   string
	speed  zstd.EncoderLevel
	frame  int  // content of a frame
	solid  int  // window of solid frames, 0 for none
	allLit bool // entropy-code blocks without any match
}

// schemeOf holds the settings of each level, measured on Debian roots and Go
// binaries: frames larger than 8 MiB save 0.9 % at default, where they cost
// memory; 16 MiB save 2.1 % at better. Ungrouped members at best are mostly
// compressed already.
func schemeOf(l Level) scheme {
	switch l {
	case Fast:
		return scheme{name: "fast", speed: zstd.SpeedFastest, frame: 8 << 20}
	case Better:
		return scheme{name: "better", speed: zstd.SpeedBetterCompression, frame: 16 << 20, allLit: true}
	case Best:
		return scheme{name: "best", speed: zstd.SpeedBestCompression, frame: 8 << 20, solid: maxWindow, allLit: true}
	case Default:
	}
	return scheme{name: "default", speed: zstd.SpeedDefault, frame: 8 << 20}
}

// Levels lists all levels, the fastest first.
func Levels() []Level { return []Level{Fast, Default, Better, Best} }

// ParseLevel parses the name of a level.
func ParseLevel(s string) (Level, error) {
	for _, l := range Levels() {
		if strings.EqualFold(s, l.String()) {
			return l, nil
		}
	}
	near, least := "", 3
	for _, l := range Levels() {
		if d := suggest.Distance(strings.ToLower(s), l.String()); d < least {
			near, least = fmt.Sprintf(", did you mean %s?", l), d
		}
	}
	return Default, fmt.Errorf("cannot compress at level %q: want fast, default, better or best%s", s, near)
}

// String is the name of the level.
func (l Level) String() string { return schemeOf(l).name }

// Solid reports whether members of one group are compressed together. At such a
// level there is no need to Pack a grouped member: Create reads its content.
func (l Level) Solid() bool { return schemeOf(l).solid > 0 }

// Encoding identifies everything that the output of Pack depends on, besides the
// content: use it in the key of a cache.
func (l Level) Encoding() string {
	return fmt.Sprintf("%s-%s-f%d", l, encoderVersion, schemeOf(l).frame>>20)
}

// encoderVersion changes with the encoder's output: the library's version and
// a count of our own changes.
const encoderVersion = "klauspost1.20.3-1"

// encoderOptions returns the options of an encoder for frames of at most size bytes.
// Its memory is about size plus the match tables (1 to 34 MB).
func (s scheme) encoderOptions(window int) []zstd.EOption {
	return []zstd.EOption{
		zstd.WithEncoderLevel(s.speed),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(true),
		zstd.WithAllLitEntropyCompression(s.allLit),
	}
}
