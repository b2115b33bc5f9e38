package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Process is a process of the host, as /proc describes it (proc(5)).
type Process struct {
	PID int
	// Root means that all of its user IDs are 0: it is root's, and no other user started
	// it.
	Root bool
	// Program is the base name of the executable, or of the script run by a Python. argv[0]
	// is used only if the executable cannot be read, as by a user other than root.
	Program string
	Args    []string
}

// CommandLine returns the arguments joined by spaces.
func (p Process) CommandLine() string { return strings.Join(p.Args, " ") }

// Processes lists the processes, without kernel threads.
func (h *Host) Processes() ([]Process, error) {
	names, err := h.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	var list []Process
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			if p, ok := h.Process(pid); ok {
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// Process returns one process; ok is false if it has exited or is a kernel thread.
func (h *Host) Process(pid int) (p Process, ok bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	line, err := h.ReadFile(dir + "/cmdline")
	if err != nil || len(line) == 0 {
		return p, false
	}
	status, err := h.ReadFile(dir + "/status")
	if err != nil {
		return p, false
	}
	p = Process{PID: pid, Root: ofRoot(string(status)), Args: strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")}
	exe, err := os.Readlink(h.Path(dir + "/exe"))
	switch {
	case errors.Is(err, fs.ErrPermission):
		exe = p.Args[0]
	case err != nil:
		return p, false
	}
	p.Program = program(strings.TrimSuffix(exe, " (deleted)"), p.Args)
	return p, true
}

// ofRoot reports whether the real, effective, saved and file system user IDs are 0.
func ofRoot(status string) bool {
	for line := range strings.Lines(status) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			return slices.Equal(strings.Fields(ids), []string{"0", "0", "0", "0"})
		}
	}
	return false
}

// program returns the name of the running program: for Python its script, if any.
func program(exe string, args []string) string {
	name := path.Base(exe)
	if !strings.HasPrefix(name, "python") && !strings.HasPrefix(name, "platform-python") {
		return name
	}
	for _, a := range args[1:] {
		switch {
		case strings.HasPrefix(a, "-c"), strings.HasPrefix(a, "-m"):
			return name
		case !strings.HasPrefix(a, "-"):
			return path.Base(a)
		}
	}
	return name
}

// SocketOwner returns the PID of a process that has the socket with an inode open, "" if
// none is visible.
func (h *Host) SocketOwner(inode string) (pid string, err error) {
	pids, err := h.ReadDir("/proc")
	if err != nil {
		return "", err
	}
	for _, pid := range pids {
		if strings.Trim(pid, "0123456789") != "" {
			continue
		}
		dir := "/proc/" + pid + "/fd"
		fds, err := h.ReadDir(dir)
		if err != nil {
			continue // it has exited, or is not accessible
		}
		for _, fd := range fds {
			if link, err := os.Readlink(h.Path(dir + "/" + fd)); err == nil && link == "socket:["+inode+"]" {
				return pid, nil
			}
		}
	}
	return "", nil
}
