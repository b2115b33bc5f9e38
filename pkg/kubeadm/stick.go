package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// ticketPlace is the place of a ticket on the stick, below the root of h.
func ticketPlace(h *host.Host, name string) (media.Dir, string) {
	return media.At(h.Path(path.Dir(name))), path.Base(name)
}

// readStick reads the ticket on the stick, "" if there is none.
func readStick(h *host.Host, name string) (string, error) {
	dir, base := ticketPlace(h, name)
	text, err := dir.ReadFile(base, manifest.MaxTicket)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// writeStick writes a ticket to the stick, replacing whatever has its name.
func writeStick(h *host.Host, name, text string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot write %s: %w", name, host.ErrReadOnly)
	}
	dir, base := ticketPlace(h, name)
	return dir.Write(base, []byte(text), secretMode)
}

// removeStick removes the ticket on the stick; a missing one is not an error.
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

// ticketParams are those of the step's begin record: where it copies the ticket.
type ticketParams struct {
	Stick string `json:"stick"`
}

// ticketKind recreates the step for undoing. report receives which copy is kept.
func ticketKind(report progress.Func) step.Kind {
	return step.With(ticketName, func(p ticketParams) (step.Step, error) {
		return Ticket(TicketOptions{Options: Options{Progress: report}, Stick: p.Stick}), nil
	})
}

// Params is step.Parameters'.
func (s *ticketStep) Params() any { return ticketParams{s.o.Stick} }

// Undo is step.Undoer's: it removes the copy on the stick of the ticket that this
// host made. Its token goes with the cluster.
func (s *ticketStep) Undo(_ context.Context, h *host.Host) error {
	mine, err := h.Text(TicketFile)
	if err != nil {
		return err
	}
	if s.o.Stick != "" && mine != "" {
		// A defective stick does not keep a host from being reset.
		there, err := readStick(h, s.o.Stick)
		if err == nil && there == mine && s.writable(h) == nil {
			err = removeStick(h, s.o.Stick)
		}
		if err != nil {
			s.o.Progress.Report(progress.Event{Kind: progress.Warn, Stage: "ticket", Text: fmt.Sprintf("%s is kept: %v", s.o.Stick, err)})
		}
	}
	return nil
}

// Clean is step.Cleaner's: the ticket of this host is removed after every stick was
// compared with it.
func (*ticketStep) Clean(_ context.Context, h *host.Host) error {
	return h.State().Remove(TicketFile, ticketConfigFile)
}
