package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Pipe runs two commands, the output of the first into the second, and
// returns what the second printed.
func Pipe(ctx context.Context, first, second []string) (string, error) {
	from := exec.CommandContext(ctx, first[0], first[1:]...)
	to := exec.CommandContext(ctx, second[0], second[1:]...)
	var out, said bytes.Buffer
	stream, err := from.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("cannot pipe: %w", err)
	}
	from.Stderr, to.Stdin, to.Stdout, to.Stderr = &said, stream, &out, &out
	if err := from.Start(); err != nil {
		return "", fmt.Errorf("cannot start %s: %w", first[0], err)
	}
	if err := to.Start(); err != nil {
		return "", errors.Join(fmt.Errorf("cannot start %s: %w", second[0], err), from.Process.Kill(), from.Wait())
	}
	err = to.Wait()
	if cerr := stream.Close(); cerr != nil && err == nil {
		err = cerr
	}
	if ferr := from.Wait(); ferr != nil && err == nil {
		err = ferr
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s | %s: %w\n%s%s", strings.Join(first, " "), strings.Join(second, " "), err, said.String(), out.String())
	}
	return out.String(), nil
}
