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
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
)

// app is what the verbs share.
type app struct {
	out      cli.Out
	archive  string
	role     string
	settings install.Settings

	passphrase string // the file of it
}

func newApp(stdout, stderr io.Writer) *app {
	a := &app{out: cli.NewOut(stdout, stderr)}
	a.settings.EUID = os.Geteuid()
	a.settings.Command = command(os.Args[1:])
	return a
}

// command is how this program was called, for hints; "" where that holds a secret.
func command(args []string) string {
	for _, arg := range args {
		if strings.HasPrefix(arg, "--token") {
			return ""
		}
	}
	return host.CommandLine(append([]string{"./install"}, args...))
}

func (a *app) path() (string, error) {
	if a.archive != "" {
		return a.archive, nil
	}
	return install.FindArchive()
}

// asRoot is err, or that this needs root where that is all that is wrong.
func (a *app) asRoot(err error) error {
	if a.settings.EUID == 0 || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return hint.With(fmt.Errorf(preflight.NotRoot+": %v", a.settings.EUID, err), "%s", hint.Root(a.settings.Command))
}

// stick is path for a verb that needs no archive, "" without one. What is wrong
// with one that may be there is told, as it is not looked at then.
func (a *app) stick(report progress.Func) string {
	path, err := a.path()
	if err != nil && !errors.Is(err, install.ErrNoArchive) {
		text := fmt.Sprintf("%v: what lies there is not looked at", err)
		if h := hint.Of(err); h != "" {
			text += "; " + h
		}
		report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: text})
	}
	return path
}

// show starts progress, runs f and closes it, whatever f returns.
func (a *app) show(f func(progress.Func) error) error {
	r := a.out.Progress()
	defer r.Close()
	return f(r.Event)
}

// result is what a verb prints in the end.
type result interface{ WriteText(w io.Writer) error }

// on runs f, which needs the settings and an archive, on this host and prints
// its result, also where f failed with one.
func (a *app) on(f func(h *host.Host, s install.Settings) (result, error)) error {
	if err := a.finish(); err != nil {
		return err
	}
	return a.print(func(report progress.Func) (result, error) {
		s := a.settings
		s.Report = report
		return f(local(report), s)
	})
}

// local is this host, whose programs are told with --verbose.
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
	if errors.Is(err, install.ErrRole) {
		err = &cli.UsageError{Err: err}
	}
	err = a.asRoot(err)
	if res == nil {
		return err
	}
	return errors.Join(a.out.Print(res, res.WriteText), err)
}

// open opens the archive that --archive names, or the one that is found.
func (a *app) open(use func(*archive.Reader) error) (err error) {
	s := a.settings
	if s.Archive, err = a.path(); err != nil {
		return err
	}
	var r *archive.Reader
	var closer io.Closer
	err = a.show(func(f progress.Func) (err error) {
		s.Report = f
		r, closer, _, err = install.OpenArchive(host.Local(), s)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return use(r)
}
