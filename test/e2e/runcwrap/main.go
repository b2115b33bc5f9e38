// Command runcwrap is an OCI runtime for machines that lack CAP_SYS_RESOURCE:
// it takes from a container what needs that capability (the capability itself,
// a negative oomScoreAdj, rlimits), then becomes the runc that PATH has. Where
// the capability is there to give, it changes nothing.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if path, within := config(args); path != "" && !permitted() {
		if err := edit(path, within); err != nil {
			return fmt.Errorf("cannot change %s: %w", path, err)
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("cannot find the runtime: %w", err)
	}
	if err := syscall.Exec(runc, append([]string{runc}, args...), os.Environ()); err != nil {
		return fmt.Errorf("cannot run %s: %w", runc, err)
	}
	return nil
}

// permitted tells whether the bounding set has CAP_SYS_RESOURCE, prctl(2).
func permitted() bool {
	const capSysResource = 24 // linux/capability.h
	r, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_CAPBSET_READ, capSysResource, 0)
	return errno == 0 && r == 1
}

// config is the JSON file that describes the process that runc's arguments
// start, and the key under which it does: a container's config.json has it
// under "process", the file of runc exec is the process itself. "" is the file
// of a command that starts none.
func config(args []string) (path, within string) {
	for i, arg := range args {
		switch arg {
		case "create", "run":
			return filepath.Join(option(args[i+1:], "bundle", "b"), "config.json"), "process"
		case "exec":
			return option(args[i+1:], "process", "p"), ""
		}
	}
	return "", ""
}

// option is the value of --long, -long or -short in one of the forms that runc
// takes, the last one given.
func option(args []string, long, short string) string {
	value := ""
	for i, arg := range args {
		name, v, joined := strings.Cut(arg, "=")
		if name != "--"+long && name != "-"+long && name != "-"+short {
			continue
		}
		if !joined && i+1 < len(args) {
			v = args[i+1]
		}
		value = v
	}
	return value
}

// edit takes what is not permitted out of the process in a JSON file.
func edit(path, within string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var whole map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		return err
	}
	process := whole
	if within != "" {
		process, _ = whole[within].(map[string]any)
	}
	delete(process, "rlimits")
	if n, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(n.String(), "-") {
		delete(process, "oomScoreAdj")
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		if list, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
		}
	}
	if data, err = json.Marshal(whole); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
