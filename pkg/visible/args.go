package visible

import (
	"fmt"
	"io"
	"reflect"
)

// Args are the arguments of a format, each of them as Line leaves it, whatever
// its type and verb.
func Args(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = Arg(a)
	}
	return out
}

// Arg is one argument of a format as Line leaves it.
func Arg(a any) any {
	switch v := a.(type) {
	case nil:
		return nil
	case string:
		return Line(v)
	case fmt.Formatter, error, fmt.Stringer:
		return argument{a}
	}
	switch reflect.TypeOf(a).Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return a // a number is harmless, and may be a width
	}
	return argument{a}
}

// argument formats a value and cleans what comes of it.
type argument struct{ value any }

// Format does what fmt would do with the value.
func (a argument) Format(s fmt.State, verb rune) {
	_, _ = io.WriteString(s, Line(fmt.Sprintf(fmt.FormatString(s, verb), a.value))) // fmt keeps no errors of a State
}
