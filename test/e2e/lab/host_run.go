package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
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

	m    *Machine
	cmd  *exec.Cmd
	out  jobOutput
	done chan struct{}
	err  error
}

// Start starts argv on the host and returns once it has a process there, which
// is argv's own: what Kill kills. ctx ends the wait for it, not the process.
func (m *Machine) Start(ctx context.Context, argv ...string) (*Job, error) {
	note := path.Join("/run", "lab-job-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	j := &Job{m: m, done: make(chan struct{})}
	j.cmd = m.exec(context.WithoutCancel(ctx), nil, append([]string{"lab-start", note}, argv...)...)
	j.cmd.Stdout, j.cmd.Stderr = &j.out, &j.out
	if err := j.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s on %s: %w", argv[0], m.Name, err)
	}
	go func() {
		j.err = j.cmd.Wait()
		close(j.done)
	}()
	for {
		out, code, err := m.Run(ctx, "cat", note)
		if err != nil {
			return nil, err
		}
		if pid, perr := strconv.Atoi(strings.TrimSpace(out)); code == 0 && perr == nil {
			j.PID = pid
			return j, nil
		}
		select {
		case <-j.done:
			return nil, fmt.Errorf("cannot start %s on %s: %w\n%s", argv[0], m.Name, j.err, j.Output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Output is what the command printed so far on both streams.
func (j *Job) Output() string { return j.out.String() }

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

// jobOutput is a buffer that one goroutine fills while others read it.
type jobOutput struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *jobOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *jobOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
