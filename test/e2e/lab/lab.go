// Package lab starts real servers on loopback for the end-to-end tests and the
// benchmark: a docker-registry filled with real images, createrepo_c
// repositories of real and of made RPMs, dockerd, containerd, and gates that
// count, slow and break what passes. Everything lives in one run directory and
// ends with Close; what is dear to make is kept in a cache directory.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Lab is one run: its directory, its servers, and the cache it shares with
// other runs. It is safe for use by several goroutines.
type Lab struct {
	Dir   string // of this run, removed by Close
	Cache string // kept: debootstrap roots, layers, filled registries
	logf  func(format string, args ...any)

	mu      sync.Mutex
	closers []func() error
}

// New makes the run directory (in os.TempDir) and the cache directory
// ($KUBECRATE_LAB_CACHE, else kubecrate-lab in the user's cache directory).
// logf may be nil. test/e2e/setup --stop finds the run directory by its name
// and owner file and cleans up after a killed run.
func New(logf func(format string, args ...any)) (*Lab, error) {
	cache := os.Getenv("KUBECRATE_LAB_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cannot find a cache directory: %w", err)
		}
		cache = filepath.Join(base, "kubecrate-lab")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the lab's cache: %w", err)
	}
	dir, err := os.MkdirTemp("", "kubecrate-lab-")
	if err != nil {
		return nil, fmt.Errorf("cannot make the lab's directory: %w", err)
	}
	owner := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if err := os.WriteFile(filepath.Join(dir, "owner"), owner, 0o644); err != nil {
		return nil, fmt.Errorf("cannot make the lab's directory: %w", err)
	}
	if logf == nil {
		logf = func(string, ...any) {}
	}
	return &Lab{Dir: dir, Cache: cache, logf: logf}, nil
}

// OnClose registers f to run at Close, last registered first.
func (l *Lab) OnClose(f func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, f)
}

// Close stops the servers, undoes the mounts and removes the run directory.
func (l *Lab) Close() error {
	l.mu.Lock()
	closers := l.closers
	l.closers = nil
	l.mu.Unlock()
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closers[i]())
	}
	errs = append(errs, os.RemoveAll(l.Dir))
	return errors.Join(errs...)
}

// Process is a server that the lab started.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

// Start runs argv in the background; what it prints goes to NAME.log in the
// run directory. It is stopped at Close.
func (l *Lab) Start(name string, argv ...string) (*Process, error) {
	return l.startIn(name, 0, argv...)
}

// startIn is Start in new namespaces, CLONE_NEW flags of clone(2).
func (l *Lab) startIn(name string, namespaces uintptr, argv ...string) (*Process, error) {
	path := filepath.Join(l.Dir, name+".log")
	out, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	// A Ctrl-C at the terminal is for the tests, which then stop this one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: namespaces}
	err = cmd.Start()
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, log: path, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	pid := []byte(strconv.Itoa(cmd.Process.Pid) + "\n")
	l.OnClose(p.Stop)
	if err := os.WriteFile(filepath.Join(l.Dir, name+".pid"), pid, 0o644); err != nil {
		return nil, fmt.Errorf("cannot note the process of %s: %w", name, err)
	}
	return p, nil
}

// Stop ends the process: SIGTERM, and SIGKILL after 20 seconds.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot stop %s: %w", p.Name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot kill %s: %w", p.Name, err)
	}
	<-p.done
	return nil
}

// Ready waits until check succeeds, the process ends or a minute is over.
func (p *Process) Ready(ctx context.Context, check func() error) error {
	var last error
	for range 300 {
		if last = check(); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return fmt.Errorf("%s ended: %w\n%s", p.Name, p.err, tail(p.log))
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not ready: %w\n%s", p.Name, last, tail(p.log))
}

func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// Run runs argv to its end and returns what it printed on both streams; the
// error of a failing one carries that text.
func Run(ctx context.Context, argv ...string) (string, error) {
	return RunIn(ctx, "", nil, argv...)
}

// RunIn is Run in a directory, with variables added to the environment.
func RunIn(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}
