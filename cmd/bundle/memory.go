package main

import (
	"os"
	"runtime/debug"

	"kubecrate/pkg/archive"
)

// limitMemory makes the garbage collector run earlier: a build keeps buffers and
// match tables of 70 to 110 MiB alive, and by default the collector waits for as
// much garbage again. Where images share a window, the window and its match tables
// take four times as much. GOMEMLIMIT, if set, has precedence.
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
