package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/visible/hostiletest"
)

// stick is the path of the stick in the examples.
const stick = "/mnt/usb"

// example splits an example of the help as a shell would: it drops everything after
// >, && and #.
func example(t *testing.T, line string) (args []string, wellFormed bool) {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	line, next, chained := strings.Cut(line, " && ")
	if chained && strings.Contains(next, "install") {
		t.Errorf("%q: a second command of install is not tested", next)
	}
	line, _, _ = strings.Cut(line, " >")
	words := strings.Fields(line)
	return words[min(1, len(words)):], len(words) > 0 && words[0] == "./install" && !strings.ContainsAny(line, `'"\$`)
}

// looks returns the allowed exit codes of a command that changes nothing, on any host
// and for any user; other commands are only parsed.
func looks(c *cobra.Command, args []string) (codes []int, ok bool) {
	host := []int{cli.ExitDone, cli.ExitFailed, cli.ExitPreflight}
	switch {
	case slices.Contains(args, "--key"), c.Name() == "verify": // this archive has another signer, and its lock lists more than it contains
		return []int{cli.ExitCorrupt}, true
	case c.Name() == "reset" && slices.Contains(args, "--plan"):
		return host, true
	case slices.Contains([]string{"plan", "preflight", "status", "inventory"}, c.Name()):
		return host, true
	}
	return []int{cli.ExitDone}, slices.Contains([]string{"inspect", "version"}, c.Name())
}

// TestExamples: every example of the help is an existing command, with valid flags
// and values, and files of a stick. Those that change nothing are run with an archive.
func TestExamples(t *testing.T) {
	t.Parallel()
	var list []string
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			list = append(list, strings.TrimSpace(line))
		}
		if c.Name() != "help" && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(newApp(&strings.Builder{}, &strings.Builder{}).root())
	if len(list) < 20 {
		t.Fatalf("only %d examples", len(list))
	}
	for _, line := range list {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			tryExample(t, line)
		})
	}
}

func tryExample(t *testing.T, line string) {
	args, ok := example(t, line)
	if !ok {
		t.Fatal("not a plain command of ./install")
	}
	dir := t.TempDir()
	archive := hostiletest.Archive(t, dir)
	files := map[string]string{"join.yaml": ticketText(t, "cluster", "lab")}
	for name, text := range files {
		hostiletest.Write(t, filepath.Join(dir, name), text)
	}
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, stick+"/"); ok {
			if _, known := files[name]; !known {
				t.Errorf("%s is not a file on the stick: %q", a, slices.Collect(maps.Keys(files)))
			}
			args[i] = filepath.Join(dir, name)
		}
	}
	var stdout, stderr strings.Builder
	a := newApp(&stdout, &stderr)
	root := a.root()
	root.InitDefaultHelpCmd()
	found, _, err := root.Find(args)
	if err != nil {
		t.Fatal(err)
	}
	codes, harmless := looks(found, args)
	if !harmless {
		codes = []int{cli.ExitDone}
		found.RunE = func(c *cobra.Command, _ []string) error {
			if c.Flag("role") == nil {
				return nil
			}
			_, err := parseRole(c.Flag("role").Value.String())
			return err
		}
	}
	if code := cli.Run(root, &a.out, append(args, "--archive", archive)); !slices.Contains(codes, code) {
		t.Errorf("exit code %d, want one of %v:\n%s%s", code, codes, stdout.String(), stderr.String())
	}
	if harmless && stdout.Len()+stderr.Len() == 0 {
		t.Error("no output")
	}
}

// TestInspectJSON: --json means --output json, and its last line is the result.
func TestInspectJSON(t *testing.T) {
	t.Parallel()
	archive := hostiletest.Archive(t, t.TempDir())
	var texts []string
	for _, flags := range [][]string{{"--json"}, {"--output", "json"}} {
		var stdout, stderr strings.Builder
		a := newApp(&stdout, &stderr)
		if code := cli.Run(a.root(), &a.out, append([]string{"inspect", "--archive", archive}, flags...)); code != cli.ExitDone {
			t.Fatalf("%q: exit code %d: %s", flags, code, stderr.String())
		}
		var line struct {
			Kind, Time string
			Members    []struct{ Path string }
		}
		all := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		last := all[len(all)-1] // events come before the result
		if err := json.Unmarshal([]byte(last), &line); err != nil {
			t.Fatalf("%q: %v\n%s", flags, err, stdout.String())
		}
		if line.Kind != "inspect" || line.Time == "" || len(line.Members) == 0 {
			t.Errorf("%q: %s", flags, stdout.String())
		}
		texts = append(texts, strings.Replace(last, line.Time, "", 1))
	}
	if texts[0] != texts[1] {
		t.Errorf("%s\n%s", texts[0], texts[1])
	}
}
