package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/visible"
)

// Exec runs programs of this machine with an environment of its own (see
// environ), and each in a process group of its own, so that a Ctrl-C at the
// terminal reaches only this program, which then ends what it runs.
type Exec struct{}

const (
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	endWait    = 10 * time.Second // between the request to end and the kill
	mostKept   = 64 << 10         // bytes of stderr kept for the message, its end
)

// Run is Runner's.
func (Exec) Run(ctx context.Context, c Cmd) ([]byte, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("cannot run nothing")
	}
	program, err := lookPath(c.Argv[0])
	if err != nil {
		return nil, &CommandError{Argv: c.Argv, Err: err}
	}
	cmd := exec.CommandContext(ctx, program, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Env = environ(os.Environ())
	in := &stdin{r: c.Stdin, failed: func() { _ = cmd.Process.Kill() }} // it may have ended
	if c.Stdin != nil {
		cmd.Stdin = in
	}
	var stdout bytes.Buffer
	stderr := &tail{most: mostKept}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	if c.Log != nil {
		cmd.Stdout, cmd.Stderr = c.Log, c.Log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endWait
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return stdout.Bytes(), context.Cause(ctx)
	case in.broken() != nil:
		return stdout.Bytes(), fmt.Errorf("cannot feed %s: %w", CommandLine(c.Argv), in.broken())
	case err != nil && c.Log != nil:
		return nil, &CommandError{Argv: c.Argv, Err: err, Stdout: lastLines(endOf(c.Log))}
	case err != nil:
		return stdout.Bytes(), &CommandError{Argv: c.Argv, Err: err, Stdout: lastLines(stdout.String()), Stderr: lastLines(stderr.String())}
	}
	return stdout.Bytes(), nil
}

// endOf is the end of what a log holds, "" where it cannot be read.
func endOf(log *os.File) string {
	info, err := log.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-mostKept)
	b, _ := io.ReadAll(io.NewSectionReader(log, from, info.Size()-from)) // the program's own error is what counts
	return string(b)
}

// stdin is what a program is fed with. Where that breaks off, the program is
// ended before it sees the end, which it could take for a whole input, and the
// cause is kept: os/exec hides it behind the exit status.
type stdin struct {
	r      io.Reader
	failed func()
	err    atomic.Pointer[error]
}

func (s *stdin) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err.Store(&err)
		s.failed()
	}
	return n, err
}

func (s *stdin) broken() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// lookPath finds a program in searchPath, whatever PATH this process has.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range strings.Split(searchPath, ":") {
		path := dir + "/" + name
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s", exec.ErrNotFound, name)
}

// CommandError is a program that could not be run or ended badly. Stdout and
// Stderr are the last lines that it wrote.
type CommandError struct {
	Argv           []string
	Err            error
	Stdout, Stderr string
}

// Error gives a line that can be pasted into a shell, and what the program said.
func (e *CommandError) Error() string {
	said := e.Stderr
	if said == "" {
		said = e.Stdout
	}
	if said != "" {
		said = ":\n" + said
	}
	return fmt.Sprintf("%s: %v%s", CommandLine(e.Argv), e.Err, said)
}

// Lines is Error with what the program said marked as such.
func (e *CommandError) Lines() []string {
	said := e.Stderr
	if said == "" {
		said = e.Stdout
	}
	return (&visible.Quoted{Err: fmt.Errorf("%s: %w", CommandLine(e.Argv), e.Err), Said: said}).Lines()
}

// Unwrap gives what os/exec said.
func (e *CommandError) Unwrap() error { return e.Err }

// NotFound says that err is a program that this machine does not have.
func NotFound(err error) bool { return errors.Is(err, exec.ErrNotFound) }

// ExitCode is that of the program behind err, -1 where there is none.
func ExitCode(err error) int {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// CommandLine is argv as a shell takes it.
func CommandLine(argv []string) string { return hint.Command(argv...) }

// lastLines keeps what a person reads of a long output.
func lastLines(text string) string {
	const most = 20
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// tail keeps the end of what is written.
type tail struct {
	most int
	buf  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.buf = append(t.buf, b...)
	if len(t.buf) > 2*t.most {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.most:]...)
	}
	return len(b), nil
}

func (t *tail) String() string { return string(t.buf[max(0, len(t.buf)-t.most):]) }

// environ is the environment of every program that is run: a fixed one, with
// nothing of own, this process's, but the terminal's kind. What else an operator
// has set would change what the programs do, and differently on each host: a
// proxy sends kubeadm's requests to the cluster elsewhere, and is written into
// the control plane; KUBECONFIG, DOCKER_HOST, CONTAINERD_ADDRESS and ETCDCTL_*
// lead to another cluster or runtime, LANG and LC_* turn what is parsed into
// another language, LD_*, PYTHON* and RPM_* load other code.
func environ(own []string) []string {
	list := []string{
		"PATH=" + searchPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "LANG=C", "LC_ALL=C",
	}
	for _, pair := range own {
		if strings.HasPrefix(pair, "TERM=") {
			list = append(list, pair)
		}
	}
	return list
}
