// Package version knows which build of kubecrate this is.
package version

import "runtime/debug"

// stamp is set at link time: -X kubecrate/pkg/version.stamp=v1.2.3.
var stamp string //nolint:gochecknoglobals // the linker writes it, nothing else does

// date is set at link time: -X kubecrate/pkg/version.date=2020-01-31.
var date string //nolint:gochecknoglobals // the linker writes it, nothing else does

// Date is the day of the stamped version's commit, "" where that is not known.
func Date() string { return date }

// String is the stamped version, the module's version where `go install` built
// it, or "devel".
func String() string {
	if stamp != "" {
		return stamp
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
