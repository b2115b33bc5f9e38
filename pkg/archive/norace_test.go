//go:build !race

package archive

// raceDetector says that memory is not what it is in use.
const raceDetector = false
