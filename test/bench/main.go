// Command bench measures bundle against stock tools on one set of real images
// from a real registry on loopback, and prints medians: time, peak memory and
// bytes. See -help for the sections; the full run takes about half an hour.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"kubecrate/test/e2e/lab"
)

// section is one part of the run.
type section struct {
	name, about string
	run         func(*bench, context.Context) error
}

func sections() []section {
	return []section{
		{"stock", "skopeo copy of all images and tar | zstd -T0 -3", (*bench).stockTools},
		{"cold", "bundle build with an empty cache at fast, default, better", (*bench).cold},
		{"best", "the same at best, once", (*bench).best},
		{"warm", "bundle build again with a full cache", (*bench).warm},
		{"change", "bundle build after one of the images changed", (*bench).change},
		{"limited", "a better build from a registry of 25 MB/s against the bare download", (*bench).limited},
		{"memory", "peak memory with an image of 2 GB, at every level", (*bench).memory},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context) error {
	program := flag.String("bundle", "bin/bundle", "the program to measure")
	n := flag.Int("n", 3, "runs a figure, the median counts")
	only := flag.String("sections", "", "comma-separated sections (default all): "+names())
	weigh := flag.String("weigh", "", "internal: run the arguments, write time and peak memory to this file")
	flag.Parse()
	if *weigh != "" {
		return weighed(ctx, *weigh, flag.Args())
	}
	return run(ctx, *program, *n, *only)
}

func names() string {
	var list []string
	for _, s := range sections() {
		list = append(list, s.name+" ("+s.about+")")
	}
	return strings.Join(list, ", ")
}

func newLab() (*lab.Lab, error) {
	return lab.New(func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
}

func run(ctx context.Context, program string, n int, only string) (err error) {
	for _, tool := range []string{"skopeo", "zstd", "tar", "docker-registry"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: run test/e2e/setup", err)
		}
	}
	l, err := newLab()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	b := &bench{lab: l, program: program, n: n, results: map[string]figure{}}
	var wanted []string
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, s := range sections() {
		if wanted != nil && !slices.Contains(wanted, s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s: %s\n", s.name, s.about)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("section %s: %w", s.name, err)
		}
	}
	b.print(os.Stdout)
	return nil
}
