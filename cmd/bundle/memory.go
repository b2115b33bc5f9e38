package main

import (
	"os"
	"runtime/debug"

	"kubecrate/pkg/archive"
)

// limitMemory lets the collector run before a build takes more than it needs:
// buffers and match tables of 70 to 110 MiB are in use all the time, and it
// would wait for as much garbage again. Where images share a window, that and
// its match tables take four times as much. GOMEMLIMIT, where it is set, counts.
func limitMemory(level archive.Level) {
	const most, mostSolid = 124 << 20, 480 << 20
	if _, set := os.LookupEnv("GOMEMLIMIT"); set {
		return
	}
	if level.Solid() {
		debug.SetMemoryLimit(mostSolid)
	} else {
		debug.SetMemoryLimit(most)
	}
}
