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

// Exec runs programs of this machine with a fixed environment (see environ), each in its
// own process group, so that a Ctrl-C at the terminal reaches only this program, which
// then terminates them.
type Exec struct{}

const (
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	endWait    = 10 * time.Second // between SIGTERM and SIGKILL
	mostKept   = 64 << 10         // last bytes of stderr for the error
)

// Run is Runner's.
func (Exec) Run(ctx context.Context, c Cmd) ([]byte, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("cannot run a command: it is empty")
	}
	program, err := lookPath(c.Argv[0])
	if err != nil {
		return nil, &CommandError{Argv: c.Argv, Err: err}
	}
	cmd := exec.CommandContext(ctx, program, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Env = environ(os.Environ())
	in := &stdin{r: c.Stdin, failed: func() { _ = cmd.Process.Kill() }} // it may have exited
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
		return stdout.Bytes(), fmt.Errorf("cannot write the input of %s: %w", CommandLine(c.Argv), in.broken())
	case err != nil && c.Log != nil:
		return nil, &CommandError{Argv: c.Argv, Err: err, Stdout: lastLines(endOf(c.Log))}
	case err != nil:
		return stdout.Bytes(), &CommandError{Argv: c.Argv, Err: err, Stdout: lastLines(stdout.String()), Stderr: lastLines(stderr.String())}
	}
	return stdout.Bytes(), nil
}

// endOf returns the end of a log, "" if it cannot be read.
func endOf(log *os.File) string {
	info, err := log.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-mostKept)
	b, _ := io.ReadAll(io.NewSectionReader(log, from, info.Size()-from)) // the program's own error matters
	return string(b)
}

// stdin is the input of a program. If reading it fails, the program is killed before it
// sees EOF, which it could take for complete input, and the cause is kept: os/exec
// hides it behind the exit status.
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

// lookPath finds a program in searchPath, regardless of PATH.
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

// CommandError is the failure of a program. Stdout and Stderr are the last lines of its
// output.
type CommandError struct {
	Argv           []string
	Err            error
	Stdout, Stderr string
}

// Error returns a command line that can be pasted into a shell, and the program's
// output.
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

// Lines is Error with the program's output marked as a quote.
func (e *CommandError) Lines() []string {
	said := e.Stderr
	if said == "" {
		said = e.Stdout
	}
	return (&visible.Quoted{Err: fmt.Errorf("%s: %w", CommandLine(e.Argv), e.Err), Said: said}).Lines()
}

// Unwrap returns the error of os/exec.
func (e *CommandError) Unwrap() error { return e.Err }

// NotFound reports whether err means that the program does not exist.
func NotFound(err error) bool { return errors.Is(err, exec.ErrNotFound) }

// ExitCode returns the exit code of the failed program, -1 if there is none.
func ExitCode(err error) int {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// CommandLine returns argv quoted for a shell.
func CommandLine(argv []string) string { return hint.Command(argv...) }

// lastLines returns the last lines of an output.
func lastLines(text string) string {
	const most = 20
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// tail is a writer that keeps the last bytes.
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

// environ is the environment of every program: a fixed one, with only TERM from own,
// this process's environment. Other variables of the operator would change the
// programs' behaviour, differently on each host: kubeadm would send requests to the
// cluster through a proxy and write it into the control plane; KUBECONFIG, DOCKER_HOST,
// CONTAINERD_ADDRESS and ETCDCTL_* select another cluster or runtime, LANG and LC_*
// change the language of parsed output, LD_*, PYTHON* and RPM_* load other code.
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
