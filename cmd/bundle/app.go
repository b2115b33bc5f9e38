package main

import (
	"io"

	"kubecrate/pkg/bundle"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/progress"
)

// app is what the verbs share: where they print and how they reach the network.
type app struct {
	out cli.Out
	net bundle.SourceOptions
}

func newApp(stdout, stderr io.Writer) *app {
	return &app{out: cli.NewOut(stdout, stderr)}
}

// show runs f with progress reporting.
func (a *app) show(f func(progress.Func) error) error {
	r := a.out.Progress()
	defer r.Close()
	return f(r.Event)
}
