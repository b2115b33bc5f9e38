package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// figure is what one way of packing costs.
type figure struct {
	wall  time.Duration
	cpu   time.Duration // user and system, of all processes
	peak  int64         // bytes of memory, of the largest process
	bytes int64         // of what it wrote
	runs  int
}

// weight is what the kernel says of an ended command.
type weight struct {
	Wall, CPU time.Duration
	Peak      int64 // ru_maxrss, bytes
}

// weighed is a process between bench and the command that is measured: on exec
// the kernel counts the peak memory of the parent to the child, so the parent
// of what is measured has to be small.
func weighed(ctx context.Context, file string, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	w := weight{Wall: time.Since(began), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		w.Peak = usage.Maxrss << 10
	}
	data, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// weigh prepares argv to be run by a process that weighs it; read gives the
// weight after its end.
func (b *bench) weigh(ctx context.Context, argv ...string) (cmd *exec.Cmd, read func() (weight, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(b.lab.Dir, fmt.Sprintf("weight-%d.json", b.weights.Add(1)))
	cmd = exec.CommandContext(ctx, self, append([]string{"-weigh", file, "--"}, argv...)...)
	return cmd, func() (w weight, err error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return w, err
		}
		err = json.Unmarshal(data, &w)
		return w, err
	}, nil
}

// measured runs argv and returns its time and peak memory.
func (b *bench) measured(ctx context.Context, dir string, argv ...string) (figure, error) {
	cmd, read, err := b.weigh(ctx, argv...)
	if err != nil {
		return figure{}, err
	}
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := cmd.Run(); err != nil {
		return figure{}, fmt.Errorf("%w\n%s", err, said.String())
	}
	w, err := read()
	return figure{wall: w.Wall, cpu: w.CPU, peak: w.Peak, runs: 1}, err
}

// piped runs first | second and returns the time of both and the larger peak.
func (b *bench) piped(ctx context.Context, first, second []string) (figure, error) {
	from, fromWeight, err := b.weigh(ctx, first...)
	if err != nil {
		return figure{}, err
	}
	to, toWeight, err := b.weigh(ctx, second...)
	if err != nil {
		return figure{}, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return figure{}, err
	}
	from.Stdout, to.Stdin = w, r
	from.Stderr, to.Stderr = os.Stderr, os.Stderr
	began := time.Now()
	if err := errors.Join(from.Start(), to.Start(), r.Close(), w.Close()); err != nil {
		return figure{}, err
	}
	if err := errors.Join(from.Wait(), to.Wait()); err != nil {
		return figure{}, err
	}
	f := figure{wall: time.Since(began), runs: 1}
	a, err := fromWeight()
	if err != nil {
		return f, err
	}
	z, err := toWeight()
	f.peak, f.cpu = max(a.Peak, z.Peak), a.CPU+z.CPU
	return f, err
}

// median repeats once n times: the middle time, the largest memory, and the
// bytes of the last run.
func median(n int, once func(i int) (figure, error)) (figure, error) {
	var all []figure
	for i := range n {
		f, err := once(i)
		if err != nil {
			return f, err
		}
		all = append(all, f)
	}
	last := all[len(all)-1]
	slices.SortFunc(all, func(a, b figure) int { return cmp.Compare(a.wall, b.wall) })
	m := all[len(all)/2]
	m.bytes, m.runs = last.bytes, n
	for _, f := range all {
		m.peak = max(m.peak, f.peak)
	}
	return m, nil
}

// record keeps and reports a figure under its name.
func (b *bench) record(name string, f figure) {
	if _, ok := b.results[name]; !ok {
		b.order = append(b.order, name)
	}
	b.results[name] = f
	fmt.Fprintf(os.Stderr, "   %-28s %7.2f s  %7.2f s CPU  %5.0f MB peak  %7.1f MB\n", name, f.wall.Seconds(), f.cpu.Seconds(), float64(f.peak)/1e6, float64(f.bytes)/1e6)
}

func (b *bench) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	stock, haveStock := b.results[stockName]
	line("WAY\tRUNS\tSECONDS\tCPU S\tPEAK MB\tBYTES MB\tTIME/STOCK\tBYTES/STOCK\t")
	for _, name := range b.order {
		f := b.results[name]
		ratio, size := "", ""
		if haveStock && f.bytes > 0 && !strings.Contains(name, "2 GB") && !strings.Contains(name, "25 MB/s") {
			ratio = fmt.Sprintf("%.2f", f.wall.Seconds()/stock.wall.Seconds())
			size = fmt.Sprintf("%.3f", float64(f.bytes)/float64(stock.bytes))
		}
		line("%s\t%d\t%.2f\t%.2f\t%.0f\t%.1f\t%s\t%s\t", name, f.runs, f.wall.Seconds(), f.cpu.Seconds(), float64(f.peak)/1e6, float64(f.bytes)/1e6, ratio, size)
	}
	if err := t.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	for _, note := range b.notes {
		fmt.Fprintln(w, note)
	}
}
