//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// slack is what an interrupted download may fetch again: what was on the way
// to the disk, for every connection.
const slack = 12 << 20

// TestKilled: kill -9 in mid-download, then the same command fetches the rest.
func TestKilled(t *testing.T) {
	s := newSite(t, options{images: []string{largeImage, smallImage}})
	s.interrupted(syscall.SIGKILL, -1)
}

// TestInterrupted: Ctrl-C in mid-download ends with exit code 5.
func TestInterrupted(t *testing.T) {
	s := newSite(t, options{images: []string{largeImage, smallImage}})
	s.interrupted(syscall.SIGINT, 5)
}

func (s *site) interrupted(sig syscall.Signal, code int) {
	s.t.Helper()
	s.mustBuild("--level", "fast", "--cache", filepath.Join(s.dir, "cold"), "-o", filepath.Join(s.dir, "whole"))
	whole := s.hub.Total()
	s.hub.Reset()
	s.hub.Break(lab.Fault{Path: regexp.MustCompile(blobs), Rate: 30e6})
	r := s.stopped(sig, func() bool { return s.hub.Total() > whole/2 })
	if r.code != code {
		s.t.Errorf("exit code %d, want %d\n%s", r.code, code, r.stderr)
	}
	s.t.Logf("after %d of %d bytes it said:\n%s", s.hub.Total(), whole, said(r.stderr))
	for _, name := range entries(s.t, s.out) {
		if sig != syscall.SIGKILL || strings.HasSuffix(name, ".zst") || strings.HasSuffix(name, ".sha256") {
			s.t.Errorf("it left %s in the target", name)
		}
	}
	first := s.hub.Total()
	s.hub.Break()
	s.hub.Reset()
	archive := s.mustBuild("--level", "fast")
	if got := s.hub.Total(); got > whole-first+slack {
		s.t.Errorf("%d of %d bytes had come; then %d more were fetched", first, whole, got)
	}
	s.tool("cmp", archive, filepath.Join(s.dir, "whole", filepath.Base(archive)))
	s.hub.Reset()
	s.mustBuild("--level", "fast")
	if got := s.hub.Total(); got != 0 {
		s.t.Errorf("a second build fetched %d bytes", got)
	}
	if left := entries(s.t, s.out); len(left) > 4 {
		s.t.Errorf("the target holds more than the archive, its sum and the installer: %v", left)
	}
}

// stopped starts a build and sends sig when ready says so.
func (s *site) stopped(sig syscall.Signal, ready func() bool) ran {
	s.t.Helper()
	cmd := s.command(s.t.Context(), "build", "lab.yaml", "-o", s.out, "--progress", "plain", "--level", "fast")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for !ready() {
		select {
		case err := <-done:
			s.t.Fatalf("the build ended by itself: %v\n%s", err, said(errs.String()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := <-done; err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}
