package bundle

import (
	"io"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/store"
)

// groupCache keeps in the store what the archive compressed as one.
type groupCache struct{ *store.Store }

const groupsNS = "groups"

// Open finds the frames of a group.
func (g groupCache) Open(key string) (io.ReadSeekCloser, error) { return g.Entry(groupsNS, key) }

// Create begins to keep the frames of a group.
func (g groupCache) Create(key string) (archive.CacheEntry, error) {
	return g.CreateEntry(groupsNS, key)
}
