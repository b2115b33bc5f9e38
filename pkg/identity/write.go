package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kubecrate/manifest"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// Place says where an identity goes. From is the cluster file it was made of,
// which may be the one in Dir; Replace lets it take the place of another.
type Place struct {
	Dir     string
	From    string
	Replace bool
}

const publicMode = 0o644

// Write writes what a stick carries: cluster.yaml, join.yaml and identity.age,
// which is sealed. The two that must not be seen are for their owner alone.
// Private keys reach the disk in sealed only. It returns the paths.
func (i *Identity) Write(p Place, cluster *manifest.Cluster, sealed []byte) ([]string, error) {
	text, err := cluster.Marshal()
	if err != nil {
		return nil, err
	}
	files := []struct {
		name string
		text []byte
		mode fs.FileMode
	}{{ClusterName, text, publicMode}, {TicketName, i.Text, sealedMode}, {FileName, sealed, sealedMode}}
	var paths []string
	for _, f := range files {
		path := filepath.Join(p.Dir, f.name)
		if err := p.free(path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	for n, f := range files {
		if err := atomicfile.WriteFile(paths[n], f.text, f.mode); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", paths[n], err)
		}
	}
	return paths, nil
}

// free says why a file must not be written: it is another's.
func (p *Place) free(path string) error {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && p.Replace {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if from, err := os.Stat(p.From); err == nil && os.SameFile(there, from) {
		return nil
	}
	return hint.With(fmt.Errorf("%s already exists: a cluster may have been created with it", path), "choose another directory with -o DIR, or replace it with --replace; then hosts can no longer join the earlier cluster with this stick")
}

// Read opens the identity in a file with a passphrase, see Open.
func Read(file media.File, passphrase []byte) (*Identity, error) {
	sealed, err := file.Read(mostBytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the identity: %w", err)
	}
	return Open(file.Path(), sealed, passphrase)
}
