package smoke

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/imageref"
)

// checkPulls looks for images that a node pulled or tried to pull in the events,
// which the API server keeps for an hour. For images already on the node the event is
// "already present on machine".
func (s *session) checkPulls(ctx context.Context) Check {
	var list struct{ Items []event }
	if _, err := s.k.Get(ctx, s.h, &list, nil, "events", "--all-namespaces"); err != nil {
		return because(err)
	}
	var troubles []trouble
	var others []string
	seen := map[string]bool{}
	for _, e := range list.Items {
		image, pulled := pulledImage(e)
		what := fmt.Sprintf("a pull of %s was attempted for pod %s/%s on %s", image, e.InvolvedObject.Namespace, e.InvolvedObject.Name, e.Source.Host)
		if !pulled || seen[what] {
			continue
		}
		seen[what] = true
		if len(s.Images) > 0 && !s.bundled(image) {
			others = append(others, what)
			continue
		}
		troubles = append(troubles, trouble{what, fmt.Sprintf("on %s: ./install load", e.Source.Host)})
	}
	well := good("no image pulls were attempted")
	if len(others) > 0 {
		well = doubtful("", "pulls of images that are not in the bundle were attempted: %s", others[0])
		well.Details = others[1:]
	}
	return or(troubles, well)
}

// bundled reports whether an image is in the bundle.
func (s *session) bundled(image string) bool {
	return slices.ContainsFunc(s.Images, func(i string) bool { return imageref.Same(i, image) })
}

// pulledImage returns the image that a kubelet event says was pulled or tried.
func pulledImage(e event) (image string, pulled bool) {
	for _, begin := range []string{`Pulling image "`, `pulling image "`, `Successfully pulled image "`, `Failed to pull image "`} {
		if rest, ok := strings.CutPrefix(e.Message, begin); ok {
			image, _, _ := strings.Cut(rest, `"`)
			return image, true
		}
	}
	return "", false
}
