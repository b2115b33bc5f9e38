package bundle

import (
	"errors"
	"io"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/store"
)

// groupCache keeps in the store what the archive compressed as one.
type groupCache struct {
	*store.Store
	opened []string
}

const groupsNS = "groups"

// Open finds the frames of a group.
func (g *groupCache) Open(key string) (io.ReadSeekCloser, error) {
	f, err := g.Entry(groupsNS, key)
	if err != nil {
		return nil, err
	}
	g.opened = append(g.opened, key)
	return f, nil
}

// Create begins to keep the frames of a group.
func (g *groupCache) Create(key string) (archive.CacheEntry, error) {
	return g.CreateEntry(groupsNS, key)
}

// Forget removes the groups that were opened.
func (g *groupCache) Forget() error {
	var errs []error
	for _, key := range g.opened {
		errs = append(errs, g.RemoveEntry(groupsNS, key))
	}
	return errors.Join(errs...)
}
