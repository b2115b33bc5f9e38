package cri

import (
	"errors"
	"fmt"
	"slices"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// previousTagsFile is beside the journal. Commands in the journal are not enough: how
// to remove an image depends on what happened to it since.
const previousTagsFile = step.Dir + "/images.json"

// previousTags are the images that had these names before this program loaded images
// under them. They are saved before an image is loaded, and removed once restored.
type previousTags struct {
	Images []previousTag `json:"images"`
}

// previousTag is the previous image of one name.
type previousTag struct {
	Runtime string   `json:"runtime"`
	Name    string   `json:"name,omitempty"`   // the runtime's spelling, "" for an image without a name
	IDs     []string `json:"ids"`              // possible IDs of the loaded image
	Before  string   `json:"before,omitempty"` // ID of the image that had the name
	Had     bool     `json:"had,omitempty"`    // the loaded image was already present, without that name
}

func readPreviousTags(h *host.Host) (previousTags, error) {
	var list previousTags
	_, err := h.State().ReadJSON(previousTagsFile, &list)
	return list, err
}

// write saves the list, or removes the file if the list is empty.
func (l previousTags) write(h *host.Host) error {
	if len(l.Images) == 0 {
		return h.State().Remove(previousTagsFile)
	}
	return h.State().WriteJSON(previousTagsFile, l)
}

// add keeps the oldest entry of a name, because later ones describe images that this
// program loaded. It returns the entry kept.
func (l *previousTags) add(p previousTag) previousTag {
	i := slices.IndexFunc(l.Images, func(old previousTag) bool {
		return old.Runtime == p.Runtime && old.Name == p.Name && (p.Name != "" || slices.Equal(old.IDs, p.IDs))
	})
	if i < 0 {
		l.Images = append(l.Images, p)
		return p
	}
	for _, id := range p.IDs {
		if !slices.Contains(l.Images[i].IDs, id) {
			l.Images[i].IDs = append(l.Images[i].IDs, id)
		}
	}
	return l.Images[i]
}

// errGone means that the previous image of a name was deleted: a retry is useless.
var errGone = errors.New("the image no longer exists")

// Undoable returns an error if loaded images are still listed after their step was
// undone, because their runtime does not respond, and nil otherwise.
func Undoable(h *host.Host) error {
	list, err := readPreviousTags(h)
	if err != nil || len(list.Images) == 0 {
		return err
	}
	p := list.Images[0]
	return hint.With(fmt.Errorf("cannot remove %d loaded images from %s: %w", len(list.Images), p.Runtime, ErrUnavailable), "systemctl start %s, then the same command again", p.Runtime)
}
