package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"kubecrate/pkg/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bundle": main})
}

// TestScripts runs the real main of bundle, and a real installer where a
// script builds something.
func TestScripts(t *testing.T) {
	t.Parallel()
	installer := buildInstaller(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("INSTALLER", installer)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits,
			"flip":  cmdFlip,
			"cut":   cmdCut,
			"mode":  cmdMode,
			"split": cmdSplit,

			"guarded": cmdGuarded,
			"leaks":   cmdLeaks,
		},
	})
}

func buildInstaller(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "install")
	cmd := exec.Command("go", "build", "-o", out, "kubecrate/cmd/install")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the installer: %v\n%s", err, text)
	}
	return out
}

// cmdExits runs a program and compares its exit code: exits CODE PROGRAM ARGS.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	const least = 2
	if neg || len(args) < least {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("cannot run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code is %d, want %d", got, want)
	}
}

// cmdFlip flips one bit of a file: flip FILE OFFSET, from the end where the
// offset is negative.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	data, offset, path := fileAndOffset(ts, neg, args)
	data[offset] ^= 0x10
	ts.Check(os.WriteFile(path, data, 0o600))
}

// cmdCut truncates a file: cut FILE LENGTH, from the end where it is negative.
func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	data, offset, path := fileAndOffset(ts, neg, args)
	ts.Check(os.WriteFile(path, data[:offset], 0o600))
}

// cmdMode compares the permissions of a file: mode OCTAL FILE.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	const two = 2
	if neg || len(args) != two {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%#o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has the mode %s, want %s", args[1], got, args[0])
	}
}

// cmdSplit makes volumes of a file: split FILE NAME SIZE.
func cmdSplit(ts *testscript.TestScript, neg bool, args []string) {
	const three = 3
	if neg || len(args) != three {
		ts.Fatalf("usage: split FILE NAME SIZE")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	for n := 1; len(data) > 0; n++ {
		part := data[:min(size, len(data))]
		data = data[len(part):]
		ts.Check(os.WriteFile(fmt.Sprintf("%s.%03d", ts.MkAbs(args[1]), n), part, 0o600))
	}
}

func fileAndOffset(ts *testscript.TestScript, neg bool, args []string) (data []byte, offset int, path string) {
	const two = 2
	if neg || len(args) != two {
		ts.Fatalf("usage: flip|cut FILE OFFSET")
	}
	path = ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	offset, err = strconv.Atoi(args[1])
	ts.Check(err)
	if offset < 0 {
		offset += len(data)
	}
	if offset < 0 || offset >= len(data) {
		ts.Fatalf("offset %s is outside of %s, %d bytes", args[1], args[0], len(data))
	}
	return data, offset, path
}

// TestHelp holds every command to a help text with an example.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newApp(os.Stdout, os.Stderr).root()
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: want a short text and an example", c.CommandPath())
		}
	}
	if got := fmt.Sprint(cli.ExitDone, cli.ExitFailed, cli.ExitUsage, cli.ExitPreflight, cli.ExitCorrupt, cli.ExitInterrupted); got != "0 1 2 3 4 5" {
		t.Errorf("exit codes are %s", got)
	}
}
