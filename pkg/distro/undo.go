package distro

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

const eraseFile = step.Dir + "/rpm.log"

// Undo is step.Undoer's.
func (s packages) Undo(ctx context.Context, h *host.Host) error {
	r, err := readRecord(h)
	if err != nil {
		return err
	}
	if len(r.Packages) > 0 {
		if err := s.wait(ctx, h); err != nil {
			return err
		}
		if err := s.remove(ctx, h, r); err != nil {
			return err
		}
	}
	if err := forget(h); err != nil {
		return fmt.Errorf("cannot remove the cache of the bundle's repository: %w", err)
	}
	for _, own := range []string{repoDir, cacheDir, configFile, testFile, eraseFile, logFile, recordFile} { // the record last
		if err := h.State().Discard(own); err != nil {
			return err
		}
	}
	return nil
}

func (s packages) remove(ctx context.Context, h *host.Host, r *record) error {
	have, err := s.distro.readInstalled(ctx, h)
	if err != nil {
		return err
	}
	var list []nevra.NEVRA
	for _, key := range sorted(r.Packages) {
		c := r.Packages[key]
		n := c.NEVRA
		there := have.of(n)
		switch {
		case len(there) == 0:
		case c.Was != nevra.NEVRA{}:
			if have.has(n) {
				s.warn("%s stays: this host has no repository for the previous build %s", n, c.Was)
			}
		case !have.has(n):
			s.warn("%s stays: it replaced %s of the bundle since. rpm -e %s removes it", there[0], n, n.Name)
		default:
			list = append(list, n)
		}
	}
	if list, err = s.removable(ctx, h, list); err != nil || len(list) == 0 {
		return err
	}
	argv := append([]string{"rpm", "-e"}, labels(list)...)
	if err := s.runToCompletion(ctx, h, eraseFile, argv); err != nil {
		return fmt.Errorf("cannot remove the bundle's packages: %w", err)
	}
	return nil
}

func (s packages) warn(format string, args ...any) {
	s.report.Report(progress.Event{Kind: progress.Warn, Stage: StepName, Text: fmt.Sprintf(format, args...)})
}

// removable drops packages from list that other packages need, until rpm can remove
// the rest.
func (s packages) removable(ctx context.Context, h *host.Host, list []nevra.NEVRA) ([]nevra.NEVRA, error) {
	for len(list) > 0 {
		err := s.logged(ctx, h, testFile, append([]string{"rpm", "-e", "--test"}, labels(list)...))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		said, readErr := h.Text(testFile)
		needs := parseNeeds(said)
		if readErr != nil || len(needs) == 0 {
			return nil, fmt.Errorf("cannot remove the bundle's packages: %w", errors.Join(err, readErr))
		}
		keep, askErr := s.neededOf(ctx, h, list, needs)
		if askErr != nil {
			return nil, askErr
		}
		if len(keep) == 0 {
			return nil, fmt.Errorf("cannot remove the bundle's packages: %s is needed by %s: %w", needs[0].what, needs[0].by, err)
		}
		list = slices.DeleteFunc(list, func(n nevra.NEVRA) bool {
			by, kept := keep[n]
			if kept {
				s.warn("%s stays: %s needs it", n, by)
			}
			return kept
		})
	}
	return list, nil
}

// neededOf returns the packages of list that are needed, and by which package.
func (s packages) neededOf(ctx context.Context, h *host.Host, list []nevra.NEVRA, needs []need) (map[nevra.NEVRA]string, error) {
	keep := map[nevra.NEVRA]string{}
	for _, x := range needs {
		out, err := h.Query(ctx, "rpm", "-q", "--whatprovides", "--qf", nevraFormat, x.what)
		if err != nil && host.ExitCode(err) <= 0 {
			return nil, fmt.Errorf("cannot query which package provides %s: %w", x.what, err)
		}
		have := parseInstalled(string(out))
		for _, n := range list {
			if _, known := keep[n]; !known && have.has(n) {
				keep[n] = x.by
			}
		}
	}
	return keep, nil
}

// need is a capability that an installed package needs.
type need struct{ what, by string }

// parseNeeds parses the dependencies in the output of rpm -e:
//
//	libltdl.so.7()(64bit) is needed by (installed) foo-1.0-1.x86_64
//	container-selinux >= 2:2.74 is needed by (installed) podman-1.6.4-1.x86_64
func parseNeeds(text string) []need {
	var list []need
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+)(?: [^\n]*?)? is needed by \(installed\) (\S+)\s*$`).FindAllStringSubmatch(text, -1) {
		list = append(list, need{what: m[1], by: strings.TrimSpace(m[2])})
	}
	return list
}
