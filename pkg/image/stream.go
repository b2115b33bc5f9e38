package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/pkg/hint"
)

// Ordered is implemented by a file system whose files are stored in sequence, such
// as an archive: streams are then written in that order, so that nothing is decoded
// twice. Offset is comparable between files; ok is false if name is unknown.
type Ordered interface {
	Offset(name string) (offset int64, ok bool)
}

// member is a file of a stream. A blob is read from the file system by its digest;
// other members have their content in data.
type member struct {
	name   string
	digest string
	size   int64
	data   []byte
}

// WriteDocker writes the named images (all, without names) of the archive fsys
// as the tar that `docker load` reads, directly from fsys, each layer once. Names
// may be in any form.
//
// Every blob is hashed while it is written. A damaged one ends the stream within
// that blob, and the image names come last, so no runtime takes an aborted stream
// for a complete one. The error is then that of fsys, if it has one, and w has to be
// closed with it. An image whose layers docker cannot unpack is an error.
func WriteDocker(ctx context.Context, w io.Writer, fsys fs.FS, names []string) error {
	images, err := openChosen(fsys, names)
	if err != nil {
		return err
	}
	entries := []dockerEntry{}
	for _, img := range images {
		if !dockerLoads(img.manifest) {
			return hint.With(fmt.Errorf("cannot write image %s for docker: it keeps its digest and has zstd layers, which docker cannot load", img.ref),
				"use the containerd runtime, or remove keepDigest from this image in the bundle's manifest")
		}
		entries = append(entries, entry(img.ref, img.manifest))
	}
	list, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("cannot write docker's image list: %w", err)
	}
	return write(ctx, w, fsys, images, nil, []member{small(dockerFile, list)})
}

// WriteOCI is WriteDocker for `ctr images import` and other programs that read an
// OCI layout in a tar.
func WriteOCI(ctx context.Context, w io.Writer, fsys fs.FS, names []string) error {
	images, err := openChosen(fsys, names)
	if err != nil {
		return err
	}
	index := emptyIndex()
	first := []member{small(layoutFile, layoutContent())}
	seen := map[string]bool{}
	for _, img := range images {
		index.Manifests = append(index.Manifests, img.desc)
		if digest := img.desc.Digest.String(); !seen[digest] {
			seen[digest] = true
			first = append(first, small(blobName(digest), img.body))
		}
	}
	body, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("cannot write image index: %w", err)
	}
	return write(ctx, w, fsys, images, first, []member{small(indexFile, body)})
}

func small(name string, data []byte) member {
	return member{name: name, size: int64(len(data)), data: data}
}

func write(ctx context.Context, w io.Writer, fsys fs.FS, images []stored, first, last []member) error {
	blobs, err := blobsOf(fsys, images)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	buf := make([]byte, 256<<10)
	for _, m := range slices.Concat(first, blobs, last) {
		if err := writeMember(ctx, tw, fsys, m, buf); err != nil {
			return fmt.Errorf("cannot write image stream: %w", err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("cannot write image stream: %w", err)
	}
	return nil
}

// blobsOf lists the configs and layers of images, each once, in the order of the
// file system. It fails before anything is written if one is missing or its size
// differs from the manifest.
func blobsOf(fsys fs.FS, images []stored) ([]member, error) {
	var blobs []member
	sizes := map[string]int64{}
	for _, img := range images {
		for _, d := range img.blobs() {
			digest := d.Digest.String()
			if size, known := sizes[digest]; known {
				if size != d.Size {
					return nil, fmt.Errorf("cannot write image %s: conflicting sizes for %s", img.ref, digest)
				}
				continue
			}
			sizes[digest] = d.Size
			if err := checkSize(fsys, d); err != nil {
				return nil, fmt.Errorf("cannot write image %s: %w", img.ref, err)
			}
			blobs = append(blobs, member{name: blobName(digest), digest: digest, size: d.Size})
		}
	}
	inOrder(fsys, blobs, func(m member) string { return m.digest })
	return blobs, nil
}

// inOrder sorts list by the offsets of its blobs in an Ordered fsys.
func inOrder[T any](fsys fs.FS, blobs []T, digest func(T) string) {
	o, ok := fsys.(Ordered)
	if !ok {
		return
	}
	offset := func(b T) int64 { at, _ := o.Offset(blobPath(digest(b))); return at }
	slices.SortStableFunc(blobs, func(a, b T) int { return cmp.Compare(offset(a), offset(b)) })
}

func checkSize(fsys fs.FS, d ocispec.Descriptor) error {
	name := blobPath(d.Digest.String())
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != d.Size {
		return fmt.Errorf("%s has %d bytes, not %d", name, info.Size(), d.Size)
	}
	return nil
}

func writeMember(ctx context.Context, tw *tar.Writer, fsys fs.FS, m member, buf []byte) (err error) {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Size: m.size, Mode: 0o644, ModTime: time.Unix(0, 0)}
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if m.digest == "" {
		_, err := io.Copy(tw, bytes.NewReader(m.data))
		return err
	}
	f, err := fsys.Open(blobPath(m.digest))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return copyBlob(ctx, tw, f, m, buf)
}

// copyBlob writes the last part of a blob only after its digest was verified, so that
// a damaged one is never complete at the receiver.
func copyBlob(ctx context.Context, w io.Writer, r io.Reader, m member, buf []byte) error {
	sum := sha256.New()
	for left := m.size; ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(r, part); err != nil {
			return fmt.Errorf("%s: %w", blobPath(m.digest), cut(err))
		}
		sum.Write(part)
		left -= int64(len(part))
		if left == 0 {
			if err := atEnd(r); err != nil {
				return fmt.Errorf("%s: %w", blobPath(m.digest), err)
			}
			if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != m.digest {
				return fmt.Errorf("%s: its content has digest %s", blobPath(m.digest), got)
			}
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
	}
}

// cut turns an early io.EOF into an error that no caller takes for a normal end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// atEnd reads to the end of file, where a checked file reports its damage.
func atEnd(r io.Reader) error {
	var one [1]byte
	n, err := io.ReadFull(r, one[:])
	switch {
	case n > 0:
		return errors.New("it is longer than its recorded size")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}
