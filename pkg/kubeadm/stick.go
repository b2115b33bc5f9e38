package kubeadm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
)

// ticketPlace is where a ticket lies on the stick, below the root of h.
func ticketPlace(h *host.Host, name string) (media.Dir, string) {
	return media.At(h.Path(path.Dir(name))), path.Base(name)
}

// readStick reads the ticket on the stick, "" where there is none.
func readStick(h *host.Host, name string) (string, error) {
	dir, base := ticketPlace(h, name)
	text, err := dir.ReadFile(base, manifest.MaxTicket)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// writeStick puts a ticket on the stick, in place of whatever has its name.
func writeStick(h *host.Host, name, text string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot write %s: %w", name, host.ErrReadOnly)
	}
	dir, base := ticketPlace(h, name)
	return dir.Write(base, []byte(text), secretMode)
}

// removeStick removes the ticket on the stick; one that is missing is no error.
func removeStick(h *host.Host, name string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot remove %s: %w", name, host.ErrReadOnly)
	}
	dir, base := ticketPlace(h, name)
	if err := dir.Remove(base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the ticket on the stick: %w", err)
	}
	return nil
}
