package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// exec prepares argv on the host, as root.
func (m *Machine) exec(ctx context.Context, options []string, argv ...string) *exec.Cmd {
	args := append([]string{"-H", m.room.docker.socket, "exec"}, options...)
	return exec.CommandContext(ctx, dockerClient, append(append(args, m.Name), argv...)...)
}

// Run runs argv on the host to its end. It returns what argv printed on both
// streams and its exit code; err is set only where it could not be run.
func (m *Machine) Run(ctx context.Context, argv ...string) (string, int, error) {
	cmd := m.exec(ctx, nil, argv...)
	out, err := cmd.CombinedOutput()
	code, err := m.ended(ctx, cmd, err)
	return string(out), code, err
}

// Output is Run for what argv prints on its standard output alone.
func (m *Machine) Output(ctx context.Context, argv ...string) (string, int, error) {
	cmd := m.exec(ctx, nil, argv...)
	out, err := cmd.Output()
	code, err := m.ended(ctx, cmd, err)
	return string(out), code, err
}

// ended tells a command that failed from one that could not be run.
func (m *Machine) ended(ctx context.Context, cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case ctx.Err() != nil:
		return -1, fmt.Errorf("%s: %s: %w", m.Name, strings.Join(cmd.Args, " "), ctx.Err())
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	}
	return -1, fmt.Errorf("%s: %s: %w", m.Name, strings.Join(cmd.Args, " "), err)
}

// Must is Run where the command has to succeed; the error carries its output.
func (m *Machine) Must(ctx context.Context, argv ...string) (string, error) {
	out, code, err := m.Run(ctx, argv...)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %s: exit code %d\n%s", m.Name, strings.Join(argv, " "), code, out)
	}
	return out, err
}

// ReadFile is a file of the host.
func (m *Machine) ReadFile(ctx context.Context, name string) ([]byte, error) {
	cmd := m.exec(ctx, nil, "cat", "--", name)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s of %s: %w: %s", name, m.Name, err, said.String())
	}
	return out, nil
}

// WriteFile writes a file on the host, and the folders above it.
func (m *Machine) WriteFile(ctx context.Context, name string, data []byte, mode os.FileMode) error {
	return m.write(ctx, name, bytes.NewReader(data), mode)
}

// Copy copies a file of this machine to the host, with its mode.
func (m *Machine) Copy(ctx context.Context, from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy to %s: %w", m.Name, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = m.write(ctx, to, f, info.Mode().Perm())
	}
	return errors.Join(err, f.Close())
}

func (m *Machine) write(ctx context.Context, name string, from io.Reader, mode os.FileMode) error {
	cmd := m.exec(ctx, []string{"--interactive"}, "install", "-D", "-m", fmt.Sprintf("%04o", mode), "/dev/stdin", name)
	cmd.Stdin = from
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot write %s on %s: %w: %s", name, m.Name, err, out)
	}
	return nil
}

// Logs are the last lines of units' journals, of the whole journal without
// units, for a failed test to show.
func (m *Machine) Logs(ctx context.Context, units ...string) string {
	argv := []string{"journalctl", "--no-pager", "--lines=200"}
	for _, u := range units {
		argv = append(argv, "--unit="+u)
	}
	out, _, err := m.Run(ctx, argv...)
	if err != nil {
		return err.Error()
	}
	return out
}

// Job is a command that runs on a host in the background.
type Job struct {
	PID int // on the host

	m     *Machine
	cmd   *exec.Cmd
	files string // on this machine: FILES.pid and FILES.out
	done  chan struct{}
	said  []byte // by docker itself
	err   error
}

// Start starts argv on the host and returns once it has a process there, which
// is argv's own: what Kill kills. What it prints goes to a file, so that Wait
// does not wait for children that outlive it. ctx ends the wait for the process,
// not the process.
func (m *Machine) Start(ctx context.Context, argv ...string) (*Job, error) {
	name := fmt.Sprintf("%s-%d", m.Name, m.room.started.Add(1))
	j := &Job{m: m, files: filepath.Join(m.room.jobs, name), done: make(chan struct{})}
	j.cmd = m.exec(context.WithoutCancel(ctx), nil, append([]string{"lab-start", name}, argv...)...)
	go func() {
		j.said, j.err = j.cmd.CombinedOutput()
		close(j.done)
	}()
	for {
		ended := false
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot start %s on %s: %w", argv[0], m.Name, ctx.Err())
		case <-j.done:
			ended = true
		case <-time.After(5 * time.Millisecond):
		}
		note, err := os.ReadFile(j.files + ".pid")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot start %s on %s: %w", argv[0], m.Name, err)
		}
		if j.PID, err = strconv.Atoi(strings.TrimSpace(string(note))); err == nil {
			return j, nil
		}
		if ended {
			return nil, fmt.Errorf("cannot start %s on %s: %w\n%s", argv[0], m.Name, j.err, j.said)
		}
	}
}

// Output is what the command printed so far on both streams.
func (j *Job) Output() string {
	out, err := os.ReadFile(j.files + ".out")
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// Kill sends SIGKILL to the command's process alone, not to its children. One
// that has ended is no error.
func (j *Job) Kill(ctx context.Context) error {
	out, code, err := j.m.Run(ctx, "kill", "-KILL", strconv.Itoa(j.PID))
	if err != nil {
		return err
	}
	if code != 0 && !strings.Contains(out, "No such process") {
		return fmt.Errorf("cannot kill process %d on %s: %s", j.PID, j.m.Name, out)
	}
	return nil
}

// Wait waits for the command's end and returns what Run returns; the code of
// one that was killed is 137.
func (j *Job) Wait(ctx context.Context) (string, int, error) {
	select {
	case <-ctx.Done():
		return j.Output(), -1, ctx.Err()
	case <-j.done:
	}
	code, err := j.m.ended(ctx, j.cmd, j.err)
	return j.Output(), code, err
}
