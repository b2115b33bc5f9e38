package cri

import (
	"errors"
	"fmt"
	"slices"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// previousTagsFile lies beside the journal. The journal's own commands would not do:
// what takes an image out depends on what became of it since.
const previousTagsFile = step.Dir + "/images.json"

// previousTags are what the names of images stood for before this program loaded
// images under them. They are on the disk before an image is loaded, and stay
// until they are given back.
type previousTags struct {
	Images []previousTag `json:"images"`
}

// previousTag is what one name stood for.
type previousTag struct {
	Runtime string   `json:"runtime"`
	Name    string   `json:"name,omitempty"`   // as the runtime spells it, "" for an image without
	IDs     []string `json:"ids"`              // by which the runtime may know the loaded image
	Before  string   `json:"before,omitempty"` // ID of the image that had the name
	Had     bool     `json:"had,omitempty"`    // the loaded image was there already, without that name
}

func readPreviousTags(h *host.Host) (previousTags, error) {
	var list previousTags
	_, err := h.State().ReadJSON(previousTagsFile, &list)
	return list, err
}

// write brings the list to the disk, or takes it from there when it is empty.
func (l previousTags) write(h *host.Host) error {
	if len(l.Images) == 0 {
		return h.State().Remove(previousTagsFile)
	}
	return h.State().WriteJSON(previousTagsFile, l)
}

// add keeps the oldest of what is said of a name: what this program loaded
// itself was not there before it. It returns what is kept.
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

// errGone says that what had a name before is no more: trying again is no use.
var errGone = errors.New("it is not there any more")

// Undoable says why images that were loaded are still noted once their step was
// undone: their runtime does not answer. It is nil where none are.
func Undoable(h *host.Host) error {
	list, err := readPreviousTags(h)
	if err != nil || len(list.Images) == 0 {
		return err
	}
	p := list.Images[0]
	return hint.With(fmt.Errorf("%s does not answer, and holds %d images that were loaded: %w", p.Runtime, len(list.Images), ErrUnavailable), "systemctl start %s, then the same command again", p.Runtime)
}
