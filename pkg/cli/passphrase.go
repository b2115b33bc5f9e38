package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/visible"
)

// terminal is the controlling terminal, independent of the standard streams.
const terminal = "/dev/tty"

// Passphrase reads a passphrase: the first line of file, or, without one, from the
// terminal with echo off. prompt says what for, such as "passphrase of ca.key"; twice
// asks for it again, for a new one.
func Passphrase(ctx context.Context, file, prompt string, twice bool) (string, error) {
	if file != "" {
		return passphraseIn(file)
	}
	tty, err := os.OpenFile(terminal, os.O_RDWR, 0)
	if err != nil {
		return "", hint.With(fmt.Errorf("cannot ask for the %s: there is no terminal", prompt), "pass it in a file with --passphrase-file FILE")
	}
	defer func() { _ = tty.Close() }() // the input was read
	first, err := ask(ctx, tty, prompt+": ")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask(ctx, tty, "repeat it: ")
	if err == nil && first != second {
		err = hint.With(errors.New("the two passphrases differ"), "run the same command again")
	}
	return first, err
}

func passphraseIn(file string) (_ string, err error) {
	const most = 4096
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the passphrase: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "", fmt.Errorf("cannot read the passphrase: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return "", fmt.Errorf("cannot read the passphrase: the first line of %s is empty", file)
	}
	return string(line), nil
}

// ask prompts on a terminal. If ctx ends, the terminal's echo is restored.
func ask(ctx context.Context, tty *os.File, prompt string) (string, error) {
	if _, err := io.WriteString(tty, visible.Line(prompt)); err != nil {
		return "", fmt.Errorf("cannot ask for the passphrase: %w", err)
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot ask for the passphrase: %w", err)
	}
	type typed struct {
		text []byte
		err  error
	}
	done := make(chan typed, 1)
	go func() {
		text, err := term.ReadPassword(int(tty.Fd()))
		done <- typed{text, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(int(tty.Fd()), before) // the program ends anyway
		return "", context.Cause(ctx)
	case got := <-done:
		_, _ = io.WriteString(tty, "\n") // the typed line end was not echoed
		if got.err != nil {
			return "", fmt.Errorf("cannot read the passphrase: %w", got.err)
		}
		return string(got.text), nil
	}
}
