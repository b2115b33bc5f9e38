package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/source"
	"kubecrate/pkg/suggest"
)

// Bounds of the search for similar tags, which may cost a little but not make
// anybody wait.
const (
	maxTags   = 1 << 20 // bytes of a list of tags
	tagsWait  = 10 * time.Second
	closeness = 3 // tags that a hint names
)

// absent says that no place has an image: what each of them answered.
type absent struct {
	ref    imageref.Reference
	places []*place
	errs   []error
	tries  []int
}

func (a *absent) add(pl *place, err error, tries int) {
	a.places, a.errs, a.tries = append(a.places, pl), append(a.errs, err), append(a.tries, tries)
}

// Error names every place that was asked.
func (a *absent) Error() string {
	said := make([]string, len(a.places))
	for i, pl := range a.places {
		said[i] = pl.reference(a.ref) + ": " + meaning(a.errs[i])
		if a.tries[i] > 1 {
			said[i] += fmt.Sprintf(" (%d tries)", a.tries[i])
		}
	}
	return strings.Join(said, "; ")
}

// meaning says what an answer means for who asked for an image. Registries deny
// what does not exist, so as not to tell strangers what does.
func meaning(err error) string {
	switch {
	case isUnusable(err):
	case hasStatus(err, http.StatusNotFound):
		return "not found"
	case hasStatus(err, http.StatusUnauthorized, http.StatusForbidden):
		text := "access denied, or no such repository"
		if own := ownWords(err); own != "" {
			text += ": " + own
		}
		return text
	}
	text := err.Error()
	if len(text) > longestMeaning {
		text = strings.ToValidUTF8(text[:longestMeaning], "") + "..."
	}
	return text
}

// ownWords is what a registry says of a denial beyond what any registry says.
func ownWords(err error) string {
	var e *source.StatusError
	if !errors.As(err, &e) {
		return ""
	}
	// The texts of distribution-spec and its reference registry.
	for _, usual := range []string{"", "unauthorized", "denied", "access denied", "authentication required", "requested access to the resource is denied"} {
		if strings.EqualFold(e.Said, usual) {
			return ""
		}
	}
	return e.Said
}

// longestMeaning is where the text about one place is cut, in bytes.
const longestMeaning = 500

// isUnusable says that a place had something, which cannot be used.
func isUnusable(err error) bool {
	var e *unusableError
	return errors.As(err, &e)
}

func hasStatus(err error, codes ...int) bool {
	var e *source.StatusError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// Unwrap gives the errors of the places.
func (a *absent) Unwrap() []error { return a.errs }

// explain adds the hint that fits what the places answered: the tags that are
// there when the tag is not, a login, --insecure, or another mirror.
func (p *Puller) explain(ctx context.Context, a *absent) error {
	if key, mirror := p.flattened(ctx, a); key != "" {
		return hint.With(a, "%s has it under another name; to mirror that part of the registry: --mirror %s=%s (or in the manifest, images.mirrors: {%s: [%s]})", mirror, key, mirror, key, mirror)
	}
	if !slices.ContainsFunc(a.errs, isUnusable) {
		if near := p.near(ctx, a); len(near) > 0 {
			return hint.With(a, "no such tag; similar tags: %s", strings.Join(near, ", "))
		}
	}
	if !slices.ContainsFunc(a.errs, func(err error) bool { return !source.Unreachable(err) }) {
		return hint.With(a, "%s", source.NoNetwork)
	}
	// The registry itself, which stands last, knows best.
	for i, err := range slices.Backward(a.errs) {
		if text := a.advice(a.places[i].repo.RegistryStr(), err); text != "" {
			return hint.With(a, "%s", text)
		}
	}
	return hint.With(a, "check the name and the network, or add a mirror that has it: --mirror %s=HOST/PREFIX", a.ref.Registry)
}

// advice is what can be done about what one host answered, "" where nothing
// special can.
func (a *absent) advice(host string, err error) string {
	var other *otherPlatformError
	var artifact *image.NotImageError
	switch {
	case hint.Of(err) != "":
		return hint.Of(err)
	case errors.As(err, &other):
		return fmt.Sprintf("name an image that is also built for %s, or a mirror that has it: --mirror %s=HOST/PREFIX", other.want, a.ref.Registry)
	case errors.Is(err, image.ErrSchema1):
		return fmt.Sprintf("to convert it to the current format: docker pull, docker push; or name a mirror that has it: --mirror %s=HOST/PREFIX", a.ref.Registry)
	case errors.As(err, &artifact):
		return notImage(artifact.ConfigType)
	case isUnusable(err):
		return fmt.Sprintf("name another tag, or a mirror that has it in a supported format: --mirror %s=HOST/PREFIX", a.ref.Registry)
	case hasStatus(err, http.StatusTooManyRequests):
		return fmt.Sprintf("%s limits pulls: to raise the limit: docker login %s; or name a mirror: --mirror %s=HOST/PREFIX; finished downloads are kept", host, host, a.ref.Registry)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("%s uses plain http: add --insecure if you trust the network", host)
	case hasStatus(err, http.StatusUnauthorized, http.StatusForbidden):
		return fmt.Sprintf("check the name, or log in first: docker login %s", host)
	}
	return ""
}

// notImage says what to do about what a registry keeps besides images, by the
// type of its config.
func notImage(configType string) string {
	if strings.Contains(configType, "helm") {
		return "it is a Helm chart: write the output of helm template to a file and list that under files, with images: true"
	}
	return "images.list is for container images: remove this entry; list other files under files"
}

// flattened looks for ref at the mirrors that lack it under its whole name by
// the last word of it, as mirrors with a single namespace keep what they copy.
// What such a mirror has may be another image of that name: it is not taken, but
// told with what to write, key and mirror, to take it. It is a help only.
func (p *Puller) flattened(ctx context.Context, a *absent) (key, mirror string) {
	prefix, rest := p.mirrored(a.ref)
	i := strings.LastIndexByte(rest, '/')
	if i < 0 {
		return "", ""
	}
	ctx, cancel := context.WithTimeout(ctx, tagsWait)
	defer cancel()
	for _, mirror := range p.mirrors[prefix] {
		asked, err := p.mirrorPlace(prefix, mirror, rest)
		if err != nil || !slices.Contains(a.lacking(), asked) {
			continue
		}
		mirror = strings.TrimSuffix(mirror, "/") + rest[i:]
		if pl, err := p.mirrorPlace(prefix, mirror, ""); err == nil {
			if _, _, err := p.get(ctx, a.ref, []*place{pl}); err == nil {
				return a.ref.Registry + "/" + a.ref.Repository, mirror
			}
		}
	}
	return "", ""
}

// lacking are the places that said that they have no such image.
func (a *absent) lacking() []*place {
	var list []*place
	for i, err := range a.errs {
		if hasStatus(err, http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden) && !isUnusable(err) {
			list = append(list, a.places[i])
		}
	}
	return list
}

// near lists tags like the one that is missing, of the first place that has
// the repository but not the tag. It is a help only: if it fails there is none.
func (p *Puller) near(ctx context.Context, a *absent) []string {
	if a.ref.Digest != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tagsWait)
	defer cancel()
	for i, pl := range a.places {
		if !hasStatus(a.errs[i], http.StatusNotFound) {
			continue
		}
		list := pl.location(tags, "list?n=1000")
		body, _, err := p.fetcher.Get(ctx, "tags of "+pl.name, []source.Location{list}, maxTags)
		if err != nil {
			continue
		}
		var answer struct {
			Tags []string `json:"tags"`
		}
		if json.Unmarshal(body, &answer) != nil {
			continue
		}
		if near := similar(a.ref.Tag, answer.Tags); len(near) > 0 {
			return near
		}
	}
	return nil
}

// similar gives the few tags with the least edit distance to tag.
func similar(tag string, tags []string) []string {
	type scored struct {
		tag  string
		away int
	}
	var near []scored
	for _, t := range tags {
		if _, err := imageref.Canonical("x:" + t); err != nil || t == tag {
			continue // only valid tags are printed
		}
		near = append(near, scored{t, suggest.Distance(tag, t)})
	}
	slices.SortFunc(near, func(a, b scored) int {
		if a.away != b.away {
			return a.away - b.away
		}
		return strings.Compare(b.tag, a.tag) // later versions first
	})
	var out []string
	for _, s := range near[:min(len(near), closeness)] {
		out = append(out, s.tag)
	}
	return out
}
