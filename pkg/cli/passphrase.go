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

// terminal is where a person sits, whatever the standard streams are.
const terminal = "/dev/tty"

// Passphrase reads a passphrase: the first line of file, or without one what is
// typed on the terminal, which does not show it. prompt says what is asked for,
// such as "passphrase of ca.key"; twice lets it be typed again, for one that is
// new.
func Passphrase(ctx context.Context, file, prompt string, twice bool) (string, error) {
	if file != "" {
		return passphraseIn(file)
	}
	tty, err := os.OpenFile(terminal, os.O_RDWR, 0)
	if err != nil {
		return "", hint.With(fmt.Errorf("cannot ask for the %s: there is no terminal", prompt), "--passphrase-file FILE names a file that holds it")
	}
	defer func() { _ = tty.Close() }() // what was typed is read
	first, err := ask(ctx, tty, prompt+": ")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask(ctx, tty, "the same again: ")
	if err == nil && first != second {
		err = hint.With(errors.New("the two passphrases differ"), "the same command again")
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

// ask prompts on a terminal. When ctx ends the terminal shows again what is typed.
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
		_ = term.Restore(int(tty.Fd()), before) // the program ends, and that is what counts
		return "", context.Cause(ctx)
	case got := <-done:
		_, _ = io.WriteString(tty, "\n") // the person's own line end was not shown
		if got.err != nil {
			return "", fmt.Errorf("cannot read the passphrase: %w", got.err)
		}
		return string(got.text), nil
	}
}
