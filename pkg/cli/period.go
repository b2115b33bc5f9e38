package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
)

// period is the value of a flag for a duration: at least a second, since zero or less
// would silently mean the default.
type period struct{ d *time.Duration }

// PeriodVar is pflag's DurationVar for a period.
func PeriodVar(f *pflag.FlagSet, d *time.Duration, name string, value time.Duration, usage string) {
	*d = value
	f.Var(period{d}, name, usage)
}

// String is pflag.Value's: "" if the flag has no default.
func (p period) String() string {
	if p.d == nil || *p.d == 0 {
		return ""
	}
	return p.d.String()
}

// Set is pflag.Value's.
func (p period) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err == nil && d < time.Second {
		err = errors.New("want a second or more, such as 90s, 10m or 24h")
	}
	if err != nil {
		return err
	}
	*p.d = d
	return nil
}

// Type is pflag.Value's.
func (period) Type() string { return "duration" }

// Must is for calls that fail only because of a bug in the program, such as the
// completion of a flag that does not exist.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
