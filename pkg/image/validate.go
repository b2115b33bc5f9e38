package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxProblems bounds how many problems Validate reports.
const maxProblems = 20

// Validate reads the images of the archive fsys and reports up to 20 problems,
// joined: an image whose manifest, config or layer is missing or differs in size or
// digest from its descriptor, a layer that does not unpack to its diffID, a docker
// manifest.json that differs from index.json. Each blob is read once, in the order
// of an Ordered fsys.
//
// sum returns, in hex, the sha256 that an earlier read of a path computed. Layers
// that are raw tars, which are most of an archive, are then not read again. sum may
// be nil.
func Validate(ctx context.Context, fsys fs.FS, sum func(path string) (sha256 string, ok bool)) error {
	images, err := open(fsys)
	if err != nil {
		return err
	}
	layers, problems := layersOf(fsys, images)
	if err := validateDocker(fsys, images); err != nil {
		problems = append(problems, err)
	}
	for _, use := range layers {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		known := ""
		if sum != nil {
			known, _ = sum(blobPath(use.Digest.String()))
		}
		if err := use.validate(ctx, fsys, known); err != nil {
			problems = append(problems, fmt.Errorf("cannot verify image %s: %w", use.image, err))
		}
	}
	if len(problems) > maxProblems {
		problems = append(problems[:maxProblems], fmt.Errorf("%d more problems", len(problems)-maxProblems))
	}
	return errors.Join(problems...)
}

// layersOf checks the configs of images and lists the layers that they use, each
// once, in reading order.
func layersOf(fsys fs.FS, images []stored) (layers []*layerUse, problems []error) {
	known := map[string]*layerUse{}
	for _, img := range images {
		diffIDs, err := validateConfig(fsys, img)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot verify image %s: %w", img.ref, err))
			continue
		}
		for i, l := range img.manifest.Layers {
			use := known[l.Digest.String()]
			if use == nil {
				use = &layerUse{Descriptor: l, image: img.ref.String()}
				known[l.Digest.String()] = use
				layers = append(layers, use)
			}
			if l.Size != use.Size {
				problems = append(problems, fmt.Errorf("cannot verify image %s: layer %d has conflicting sizes %d and %d", img.ref, i+1, l.Size, use.Size))
			}
			if !slices.Contains(use.diffIDs, diffIDs[i]) {
				use.diffIDs = append(use.diffIDs, diffIDs[i])
			}
		}
	}
	inOrder(fsys, layers, func(u *layerUse) string { return u.Digest.String() })
	return layers, problems
}

// layerUse is a layer's blob and its diffIDs in the configs: one, unless a config is
// wrong.
type layerUse struct {
	ocispec.Descriptor
	image   string
	diffIDs []string
}

func validateConfig(fsys fs.FS, img stored) ([]string, error) {
	body, err := readBlob(fsys, img.manifest.Config.Digest.String(), img.manifest.Config.Size, MaxConfig)
	if err != nil {
		return nil, err
	}
	config, err := ParseConfig(body)
	if err != nil {
		return nil, err
	}
	if len(config.RootFS.DiffIDs) != len(img.manifest.Layers) {
		return nil, fmt.Errorf("config has %d diffIDs for %d layers", len(config.RootFS.DiffIDs), len(img.manifest.Layers))
	}
	return config.RootFS.DiffIDs, nil
}

// validate hashes a blob and, if it is compressed, its unpacked content. A raw tar
// whose hash is known is not read.
func (u *layerUse) validate(ctx context.Context, fsys fs.FS, known string) error {
	name := blobPath(u.Digest.String())
	if err := checkSize(fsys, u.Descriptor); err != nil {
		return err
	}
	raw := u.MediaType == OCILayer || u.MediaType == DockerLayer
	if raw && len(u.diffIDs) == 1 && u.diffIDs[0] == u.Digest.String() && "sha256:"+known == u.Digest.String() {
		return nil
	}
	return u.read(ctx, fsys, name)
}

func (u *layerUse) read(ctx context.Context, fsys fs.FS, name string) (err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	blob, tarred := sha256.New(), sha256.New()
	raw, err := Unpack(u.MediaType, io.TeeReader(f, blob))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err = errors.Join(copyContext(ctx, tarred, raw), raw.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if got := "sha256:" + hex.EncodeToString(blob.Sum(nil)); got != u.Digest.String() {
		return fmt.Errorf("%s: its content has digest %s", name, got)
	}
	diffID := "sha256:" + hex.EncodeToString(tarred.Sum(nil))
	for _, want := range u.diffIDs {
		if want != diffID {
			return fmt.Errorf("%s: its diffID is %s, want %s from the config", name, diffID, want)
		}
	}
	return nil
}

// copyContext is io.Copy that ends with the cause when ctx is cancelled.
func copyContext(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// validateDocker compares docker's manifest.json with index.json.
func validateDocker(fsys fs.FS, images []stored) error {
	name := path.Join(Dir, dockerFile)
	var have []dockerEntry
	body, err := read(fsys, name, 4*MaxManifest)
	if err != nil {
		return err
	}
	if err := checkElements(body); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	if err := json.Unmarshal(body, &have); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	var want []dockerEntry
	for _, img := range images {
		if dockerLoads(img.manifest) {
			want = append(want, entry(img.ref, img.manifest))
		}
	}
	if len(have) != len(want) {
		return fmt.Errorf("%s lists %d images, %s lists %d", name, len(have), indexFile, len(want))
	}
	for i, e := range want {
		if have[i].Config != e.Config || !slices.Equal(have[i].RepoTags, e.RepoTags) || !slices.Equal(have[i].Layers, e.Layers) {
			return fmt.Errorf("%s: entry %d (%s) differs from %s (%s)", name, i+1, quoted(strings.Join(have[i].RepoTags, " ")), indexFile, quoted(strings.Join(e.RepoTags, " ")))
		}
	}
	return nil
}
