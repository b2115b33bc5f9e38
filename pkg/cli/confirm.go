package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"kubecrate/pkg/visible"
)

// Asker asks the user for a line of text.
type Asker func(ctx context.Context, prompt string) (string, error)

// AskTerminal returns an Asker for the terminal, nil if standard input is not a
// terminal, as in a script.
func AskTerminal() Asker {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return askLine
}

// maxTyped is the maximum length of typed input in bytes.
const maxTyped = 4096

func askLine(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile(terminal, os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("cannot ask on the terminal: %w", err)
	}
	defer func() { _ = tty.Close() }() // the input was read
	if _, err := io.WriteString(tty, visible.Text(prompt)); err != nil {
		return "", fmt.Errorf("cannot ask on the terminal: %w", err)
	}
	type typed struct {
		text string
		err  error
	}
	done := make(chan typed, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(tty, maxTyped)).ReadString('\n')
		done <- typed{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case got := <-done:
		if got.err != nil {
			return "", fmt.Errorf("cannot read the answer: %w", got.err)
		}
		return got.text, nil
	}
}
