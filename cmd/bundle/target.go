package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kubecrate/manifest"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
)

// localManifest is the file that bundle init writes and that is built by default.
const localManifest = "bundle.yaml"

// target is the manifest that a command works on.
type target struct {
	*manifest.Manifest
	ref string // a path or the name of a profile
	cmd *cobra.Command
}

// load reads the manifest that args name; the default is bundle.yaml in the
// current directory, or the default profile if there is no such file.
func (v *overrides) load(cmd *cobra.Command, args []string) (*target, error) {
	t := &target{ref: manifest.DefaultProfile, cmd: cmd}
	if len(args) > 0 {
		t.ref = args[0]
	} else if _, err := os.Lstat(localManifest); err == nil {
		t.ref = localManifest
	}
	var err error
	if t.Manifest, err = manifest.Load(t.ref); err != nil {
		return nil, err
	}
	if err := t.Override(v.o); err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	return t, nil
}

// lock is the path of the manifest's lock.
func (t *target) lock() string { return manifest.LockPath(t.ref) }

// command is a command line of this program for the same manifest, with those of
// the given flags that verb has too.
func (t *target) command(verb string, more ...string) string {
	argv := []string{t.cmd.Root().Name(), verb, t.ref}
	other, _, err := t.cmd.Root().Find([]string{verb})
	if err != nil {
		other = t.cmd
	}
	t.cmd.Flags().Visit(func(f *pflag.Flag) {
		if has := other.Flag(f.Name); has == nil || slices.Contains(more, "--"+f.Name) || f.Name == "check" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if f.Value.Type() == "bool" {
				argv = append(argv, "--"+f.Name+"="+value)
			} else {
				argv = append(argv, name, value)
			}
		}
	})
	return hint.Command(append(argv, more...)...)
}

// changed reports whether a flag was given that affects the lock.
func (t *target) changed() bool {
	return t.cmd.Flags().Changed("set") || t.cmd.Flags().Changed("baseline")
}

// announce names the manifest, before any work is done.
func (t *target) announce(report progress.Func, doing string) {
	from := t.ref
	if t.ref == manifest.DefaultProfile {
		from = "the profile " + t.ref
	}
	report.Report(progress.Event{Kind: progress.Note, Stage: "manifest", Text: fmt.Sprintf("%s %s from %s", doing, t.Name, from)})
}

// lockCommand is the command that writes the lock at path, with the manifest if
// the name of the lock tells which one it is.
func lockCommand(path string) string {
	ref := strings.TrimSuffix(path, filepath.Ext(path))
	for _, candidate := range []string{ref + ".yaml", ref + ".yml"} {
		if _, err := os.Stat(candidate); err == nil {
			return hint.Command("bundle", "lock", candidate)
		}
	}
	if isProfile(ref) {
		return hint.Command("bundle", "lock", ref)
	}
	return "bundle lock MANIFEST"
}

func isProfile(name string) bool {
	for _, p := range manifest.Profiles() {
		if p.Name == name {
			return true
		}
	}
	return false
}

// count is "1 file" and "2 files".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// readLock reads a lock, or the lock inside an archive.
func readLock(path string) (*manifest.Lock, error) {
	l, err := report.ReadLock(path)
	if report.IsLock(path) {
		err = hint.With(err, "%s writes it", lockCommand(path))
	}
	return l, err
}

// lockHint adds to an error about the lock on disk the command that updates it.
func (t *target) lockHint(err error) error {
	var unusable *bundle.LockError
	switch {
	case !errors.As(err, &unusable):
		return err
	case !unusable.Stale:
		return hint.With(err, "%s writes it again", t.command("lock"))
	}
	text := t.command("build", "--update") + " or " + t.command("lock") + " writes it again"
	if !t.changed() {
		text += "; a lock written with --set or --baseline needs the same flags here"
	}
	return hint.With(err, "%s", text)
}
