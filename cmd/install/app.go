package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
)

// app is what the verbs share.
type app struct {
	out    cli.Out
	media  install.Media // as set by flags; "" searches for the archive
	caller install.Caller
}

func newApp(stdout, stderr io.Writer) *app {
	a := &app{out: cli.NewOut(stdout, stderr)}
	a.caller.EUID = os.Geteuid()
	a.caller.Command = command(os.Args[1:])
	return a
}

// command is this program's command line, for hints; "" if it contains a secret.
func command(args []string) string {
	for _, arg := range args {
		if strings.HasPrefix(arg, "--token") {
			return ""
		}
	}
	return host.CommandLine(append([]string{"./install"}, args...))
}

// path returns the archive given with --archive, or searches for one.
func (a *app) path() (string, error) {
	if a.media.Archive != "" {
		return a.media.Archive, nil
	}
	return install.FindArchive()
}

// found returns the media with the archive at path.
func (a *app) found(path string) install.Media {
	return install.Media{Archive: path, Trust: a.media.Trust}
}

// heard returns the caller with report as its progress callback.
func (a *app) heard(report progress.Func) install.Caller {
	c := a.caller
	c.Report = report
	return c
}

// asRoot replaces a permission error of a user other than root by one that asks
// for root.
func (a *app) asRoot(err error) error {
	if a.caller.EUID == 0 || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return hint.With(fmt.Errorf(preflight.NotRoot+": %v", a.caller.EUID, err), "%s", hint.Root(a.caller.Command))
}

// stick returns the media for a verb that works without an archive. If finding one
// fails for another reason than its absence, it warns that the stick is ignored.
func (a *app) stick(report progress.Func) install.Media {
	path, err := a.path()
	if err != nil && !errors.Is(err, install.ErrNoArchive) {
		text := fmt.Sprintf("%v: the stick is ignored", err)
		if h := hint.Of(err); h != "" {
			text += "; " + h
		}
		report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: text})
	}
	return a.found(path)
}

// show runs f with a progress display.
func (a *app) show(f func(progress.Func) error) error {
	r := a.out.Progress()
	defer r.Close()
	return f(r.Event)
}

// result is the final output of a verb.
type result interface{ WriteText(w io.Writer) error }

// on runs f, which needs an archive, on this host and prints its result, even if f
// also returned an error.
func (a *app) on(f func(h *host.Host, m install.Media, c install.Caller) (result, error)) error {
	path, err := a.path()
	if err != nil {
		return err
	}
	return a.print(func(report progress.Func) (result, error) {
		return f(local(report), a.found(path), a.heard(report))
	})
}

// local is this host; --verbose prints the commands that it runs.
func local(report progress.Func) *host.Host {
	h := host.Local()
	h.Runner = host.Narrator{Runner: h.Runner, Tell: func(commandLine string) {
		report.Report(progress.Event{Kind: progress.Detail, Stage: "command", Text: commandLine})
	}}
	return h
}

// print shows the progress of f, then its result.
func (a *app) print(f func(progress.Func) (result, error)) error {
	var res result
	err := a.show(func(report progress.Func) (err error) {
		res, err = f(report)
		return err
	})
	if errors.Is(err, target.ErrRole) {
		err = &cli.UsageError{Err: err}
	}
	err = a.asRoot(err)
	if res == nil {
		return err
	}
	return errors.Join(a.out.Print(res, res.WriteText), err)
}

// open opens the archive given with --archive, or the one found.
func (a *app) open(use func(*archive.Reader) error) (err error) {
	path, err := a.path()
	if err != nil {
		return err
	}
	var r *archive.Reader
	var closer io.Closer
	err = a.show(func(f progress.Func) (err error) {
		r, closer, _, err = install.OpenArchive(host.Local(), a.found(path), f)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return use(r)
}
