package lab

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/gzip"
)

// Layer is the recipe of a layer. Layers of one ID are made once and kept as
// .tar.gz in the cache, so ID changes with what Write writes.
type Layer struct {
	ID    string
	Write func(ctx context.Context, w io.Writer) error // a tar stream
}

// Build makes the layer or finds it in the cache.
func (l *Lab) Build(ctx context.Context, layer Layer) (v1.Layer, error) {
	file := filepath.Join(l.Cache, "layer-"+layer.ID+".tar.gz")
	if _, err := os.Stat(file); err != nil {
		if err := writeLayer(ctx, file, layer); err != nil {
			return nil, fmt.Errorf("cannot make layer %s: %w", layer.ID, err)
		}
	}
	made, err := tarball.LayerFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read layer %s: %w", layer.ID, err)
	}
	return made, nil
}

func writeLayer(ctx context.Context, file string, layer Layer) (err error) {
	out, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(file+".part", file)
		}
	}()
	zw := gzip.NewWriter(out) // level 6, as docker push
	if err := layer.Write(ctx, zw); err != nil {
		return err
	}
	return zw.Close()
}

// TarFile is a layer that is an existing tar.
func TarFile(id string, source func(context.Context) (string, error)) Layer {
	return Layer{ID: id, Write: func(ctx context.Context, w io.Writer) error {
		name, err := source(ctx)
		if err != nil {
			return err
		}
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		defer in.Close() //nolint:errcheck // read only
		_, err = io.Copy(w, in)
		return err
	}}
}

// Files is a layer of single files: path in the image to path on this machine.
// A directory on this machine is taken with all below it. Of files that are to
// have one path in the image, the first is taken.
func Files(id string, files ...[2]string) Layer {
	return Layer{ID: id, Write: func(ctx context.Context, w io.Writer) error {
		tw, seen := tar.NewWriter(w), map[string]bool{}
		for _, f := range files {
			if err := addTree(ctx, tw, seen, f[0], f[1]); err != nil {
				return err
			}
		}
		return tw.Close()
	}}
}

// Texts is a layer of small files: path in the image to content.
func Texts(id string, files ...[2]string) Layer {
	return Layer{ID: id, Write: func(_ context.Context, w io.Writer) error {
		tw := tar.NewWriter(w)
		if err := addTexts(tw, files...); err != nil {
			return err
		}
		return tw.Close()
	}}
}

func addTexts(tw *tar.Writer, files ...[2]string) error {
	for _, f := range files {
		h := &tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1])), ModTime: stamp()}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(tw, f[1]); err != nil {
			return err
		}
	}
	return nil
}

// stamp is the time of every file that the lab makes: the release of Kubernetes 1.17.4.
func stamp() time.Time { return time.Date(2020, 3, 12, 21, 0, 0, 0, time.UTC) }

// addTree leaves out what is seen already: docker load refuses a layer that
// names a path twice, be it a folder's.
func addTree(ctx context.Context, tw *tar.Writer, seen map[string]bool, to, from string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		name := path.Join(to, filepath.ToSlash(rel))
		if seen[name] {
			return nil
		}
		seen[name] = true
		return addFile(tw, name, p, d)
	})
}

func addFile(tw *tar.Writer, name, from string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(from); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.ModTime, h.Uid, h.Gid, h.Uname, h.Gname = name, stamp(), 0, 0, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	_, err = io.Copy(tw, in)
	return err
}
