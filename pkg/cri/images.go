package cri

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/image"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// StepName is the name of the step Images.
const StepName = "images"

// Stage is the stage of the progress that Images reports.
const Stage = "load"

// Images is the step that loads missing images directly from the archive into the
// runtime, in one stream, so that a shared layer is sent once. Images that the
// runtime has are not read. from is the archive.
//
// If the archive is damaged, the stream ends before the runtime stores anything, and
// the error is *archive.DamageError.
func Images(r Runtime, from fs.FS, images []manifest.LockedImage, report progress.Func) step.Step {
	return imagesStep{runtime: r, archive: from, images: images, report: report}
}

type imagesStep struct {
	runtime Runtime
	archive fs.FS
	images  []manifest.LockedImage
	report  progress.Func
	all     Runtimes // in which Undo finds the runtime of an image
}

// wanted is a required image: the archive's description, the runtime's name for it,
// and its possible IDs in the runtime.
type wanted struct {
	image.Info
	refName string
	ids     []string
}

// Name is step.Step's.
func (imagesStep) Name() string { return StepName }

// Check is step.Step's. While the runtime is not running, the state is step.Later.
func (s imagesStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	all, err := s.wanted()
	if err != nil {
		return st, err
	}
	now, err := s.runtime.present(ctx, h)
	if errors.Is(err, ErrUnavailable) && len(all) > 0 {
		what := fmt.Sprintf("load up to %d images, %s, once %s runs", len(all), progress.Size(size(all)), s.runtime.Name())
		return step.Status{State: step.Later, What: []string{what}}, nil
	}
	if err != nil {
		return st, fmt.Errorf("cannot list the images of %s: %w", s.runtime.Name(), err)
	}
	for _, img := range missing(all, now) {
		if before := now.names[img.refName]; before != "" {
			st.Todo("load image %s; its name now refers to %s", img.Ref, before)
			continue
		}
		st.Todo("load image %s", img.Ref)
	}
	return st, nil
}

// wanted returns the descriptions of the images in the archive.
func (s imagesStep) wanted() ([]wanted, error) {
	if len(s.images) == 0 {
		return nil, nil
	}
	names := make([]string, len(s.images))
	locked := map[string]manifest.LockedImage{}
	for i, img := range s.images {
		names[i] = img.Name
		locked[img.Name] = img
	}
	list, err := image.List(s.archive, names)
	if err != nil {
		return nil, fmt.Errorf("cannot find the images in the archive: %w", err)
	}
	all := make([]wanted, len(list))
	for i, info := range list {
		l := locked[info.Ref.String()]
		// docker's ID is the digest of the config. containerd's is that of the manifest:
		// the archive's, or the registry's if the same image was pulled.
		ids := []string{info.Config, info.Manifest}
		for _, id := range []string{info.Upstream, l.Digest, l.Index} {
			if id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		all[i] = wanted{info, s.runtime.refName(info.Ref), ids}
	}
	return all, nil
}

func missing(all []wanted, now present) (list []wanted) {
	for _, img := range all {
		there := slices.Contains(img.ids, now.names[img.refName])
		if img.refName == "" {
			there = now.has(img.ids)
		}
		if !there {
			list = append(list, img)
		}
	}
	return list
}

// size is the total size of the images' blobs, each counted once.
func size(list []wanted) (total int64) {
	seen := map[string]bool{}
	for _, img := range list {
		for _, b := range img.Blobs {
			if !seen[b.Digest.String()] {
				seen[b.Digest.String()] = true
				total += b.Size
			}
		}
	}
	return total
}

// Apply is step.Step's.
func (s imagesStep) Apply(ctx context.Context, h *host.Host) error {
	all, err := s.wanted()
	if err != nil {
		return err
	}
	now, err := s.runtime.present(ctx, h)
	if err != nil {
		return fmt.Errorf("cannot list the images of %s: %w", s.runtime.Name(), err)
	}
	list := missing(all, now)
	if len(list) == 0 {
		return nil
	}
	if err := s.keep(ctx, h, list, now); err != nil {
		return err
	}
	return s.load(ctx, h, list)
}

// keep saves the previous tags before they change.
func (s imagesStep) keep(ctx context.Context, h *host.Host, list []wanted, now present) error {
	kept, err := readPreviousTags(h)
	if err != nil {
		return err
	}
	var named []previousTag // whose name refers to another image
	for _, img := range list {
		p := previousTag{Runtime: s.runtime.Name(), Name: img.refName, IDs: img.ids, Before: now.names[img.refName], Had: now.has(img.ids)}
		if old := kept.add(p); p.Before != "" && old.Before == p.Before {
			named = append(named, p)
		}
	}
	if err := kept.write(h); err != nil {
		return err
	}
	k, ok := s.runtime.(keeper)
	if !ok {
		return nil
	}
	for _, p := range named {
		if err := k.keep(ctx, h, p); err != nil {
			return fmt.Errorf("cannot keep the previous image of %s: %w", p.Name, err)
		}
	}
	return nil
}

var errOver = errors.New("the runtime exited")

// load streams images into the runtime.
func (s imagesStep) load(ctx context.Context, h *host.Host, list []wanted) error {
	names := make([]string, len(list))
	for i, img := range list {
		names[i] = img.Ref.String()
	}
	total := size(list)
	task := names[0]
	if n := len(names); n > 1 {
		task = fmt.Sprintf("%d images", n)
	}
	s.report.Report(progress.Event{Kind: progress.Start, Stage: Stage, Task: task, Total: total})
	err := s.stream(ctx, h, names, &counter{report: s.report, task: task, left: total})
	if err != nil {
		err = fmt.Errorf("cannot load %s, %s unpacked, into %s: %w", task, progress.Size(total), s.runtime.Name(), err)
		s.report.Report(progress.Event{Kind: progress.Failed, Stage: Stage, Task: task, Text: err.Error()})
		return err
	}
	s.report.Report(progress.Event{Kind: progress.Done, Stage: Stage, Task: task, Bytes: total, Total: total})
	return nil
}

// stream writes the images into a pipe from which the runtime reads. An error of the
// archive is the cause of the runtime's error, and takes precedence.
func (s imagesStep) stream(ctx context.Context, h *host.Host, names []string, c *counter) error {
	r, w := io.Pipe()
	c.w = w
	written := make(chan error, 1)
	go func() {
		err := s.runtime.write(ctx, c, s.archive, names)
		if err == nil {
			s.report.Report(progress.Event{Kind: progress.Note, Stage: Stage, Task: c.task, Text: "read completely, " + s.runtime.Name() + " is unpacking"})
		}
		_ = w.CloseWithError(err) // never fails
		written <- err
	}()
	err := s.runtime.Load(ctx, h, r)
	_ = r.CloseWithError(errOver) // unblocks the writer
	cause := <-written
	var damage *archive.DamageError
	switch {
	case errors.As(cause, &damage): // it already names the member
		return hint.With(damage, "%s", hint.Of(cause))
	case cause != nil && !errors.Is(cause, errOver):
		return cause
	}
	return err
}

// counter reports the bytes written, in chunks large enough for an event.
type counter struct {
	w       io.Writer
	report  progress.Func
	task    string
	left    int64 // bytes that may still be reported: headers are not part of the total
	pending int64
}

const countedPart = 4 << 20

// Write writes b and counts it.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.pending += int64(n)
	if c.pending >= countedPart {
		part := min(c.pending, c.left)
		c.left -= part
		c.pending = 0
		if part > 0 {
			c.report.Report(progress.Event{Kind: progress.Advance, Stage: Stage, Task: c.task, Bytes: part})
		}
	}
	return n, err
}

// Undo is step.Undoer's: it restores the previous tags and removes loaded images,
// unless containers use them. If the runtime is not running, it keeps its images and
// their list, and warns.
func (s imagesStep) Undo(ctx context.Context, h *host.Host) error {
	list, err := readPreviousTags(h)
	if err != nil {
		return err
	}
	var errs []error
	gone := map[string]bool{} // runtimes that are not running
	for i := len(list.Images) - 1; i >= 0; i-- {
		p := list.Images[i]
		if gone[p.Runtime] {
			continue
		}
		err := s.undo(ctx, h, p)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrUnavailable):
			gone[p.Runtime] = true
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("cannot remove image %s from %s: %w", p.Name, p.Runtime, err))
			if !errors.Is(err, errGone) {
				continue
			}
		}
		list.Images = slices.Delete(list.Images, i, i+1)
		if err := list.write(h); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	for _, runtime := range slices.Sorted(maps.Keys(gone)) {
		s.kept(list, runtime)
	}
	return errors.Join(errs...)
}

// kept warns about the images of a runtime that does not respond.
func (s imagesStep) kept(list previousTags, runtime string) {
	n := 0
	for _, p := range list.Images {
		if p.Runtime == runtime {
			n++
		}
	}
	text := fmt.Sprintf("%s does not respond: %d loaded images remain in %s", runtime, n, s.all.About(runtime).DataDir)
	s.report.Report(progress.Event{Kind: progress.Warn, Stage: Stage, Text: text})
}

func (s imagesStep) undo(ctx context.Context, h *host.Host, p previousTag) error {
	r, err := s.all.For(p.Runtime)
	if err != nil {
		return err
	}
	now, err := r.present(ctx, h)
	if err != nil {
		return err
	}
	return r.restore(ctx, h, now, p)
}
