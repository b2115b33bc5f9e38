// Package report says what a lock or an archive holds, what differs between
// two of them, and why a thing is there.
package report

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/suggest"
	"kubecrate/pkg/table"
)

// Why is the chain of reasons for one package or image, from what the manifest
// says to the thing itself.
type Why struct {
	Name  string   `json:"name"`
	Chain []string `json:"chain"` // one sentence a step
	Also  []string `json:"also,omitempty"`
}

// Explain finds name, a package in any form of a pin or the beginning of its NEVRA
// up to a dot, an image or a file, in l. The
// error of an unknown name suggests near ones.
func Explain(l *manifest.Lock, name string) (*Why, error) {
	pin := nevra.ParsePin(name)
	byNEVRA := map[string]manifest.LockedPackage{}
	for _, p := range l.Packages {
		byNEVRA[p.NEVRA.String()] = p
	}
	for _, p := range l.Packages {
		if pin.Match(p.NEVRA) != nevra.NoForm || strings.HasPrefix(p.NEVRA.String(), name+".") {
			return explainPackage(byNEVRA, p), nil
		}
	}
	for _, img := range l.Images {
		if imageref.Same(img.Name, name) || strings.HasSuffix(img.Name, "/"+name) || repository(img.Name) == name {
			return explainImage(img), nil
		}
	}
	for _, f := range l.Files {
		if f.Path == name || strings.HasSuffix(f.Path, "/"+name) {
			return &Why{Name: f.Path, Chain: []string{fmt.Sprintf("the manifest lists the file %s", f.URL)}}, nil
		}
	}
	err := fmt.Errorf("cannot explain %q: it is not in %s", name, l.Name)
	if near := similar(l, name); len(near) > 0 {
		return nil, hint.With(err, "did you mean %s?", strings.Join(near, ", "))
	}
	return nil, err
}

func explainPackage(byNEVRA map[string]manifest.LockedPackage, p manifest.LockedPackage) *Why {
	w := &Why{Name: p.NEVRA.String()}
	var steps []string
	seen := map[nevra.NEVRA]bool{}
	for at := p; !seen[at.NEVRA] && len(at.Why) > 0; {
		seen[at.NEVRA] = true
		first := at.Why[0]
		steps = append(steps, sentence(at.NEVRA.String(), first))
		next, ok := byNEVRA[first.By]
		if first.Root != "" || !ok {
			break
		}
		at = next
	}
	for i := len(steps) - 1; i >= 0; i-- {
		w.Chain = append(w.Chain, steps[i])
	}
	if p.Upgrades != (nevra.NEVRA{}) {
		w.Chain = append(w.Chain, fmt.Sprintf("it replaces %s of the baseline", p.Upgrades))
	}
	for i := 1; i < len(p.Why); i++ {
		w.Also = append(w.Also, sentence(p.NEVRA.String(), p.Why[i]))
	}
	return w
}

func sentence(id string, r manifest.LockedReason) string {
	if r.Root != "" {
		return fmt.Sprintf("the manifest lists %s: %s", r.Root, id)
	}
	return fmt.Sprintf("%s requires %s: %s", r.By, r.Requires, id)
}

func explainImage(img manifest.LockedImage) *Why {
	why := "the manifest lists the image " + img.Name
	if img.From != "" {
		why = fmt.Sprintf("the file %s names the image %s", img.From, img.Name)
	}
	return &Why{Name: img.Name, Chain: []string{why, fmt.Sprintf("it was found at %s as %s", img.Source, img.Digest)}}
}

func packageName(id string) string {
	if n, err := nevra.Parse(id); err == nil {
		return n.Name
	}
	return id
}

// repository is an image's name without its tag.
func repository(image string) string {
	return imageref.Split(image).Repository
}

// similar lists at most three names of l: those that hold name, or that name holds,
// and where there are none those that are spelled nearly like it.
func similar(l *manifest.Lock, name string) []string {
	const most = 3
	var near []string
	consider := func(candidate, short string) {
		if len(near) < most && name != "" && (strings.Contains(candidate, name) || len(short) > 2 && strings.Contains(name, short)) {
			near = append(near, candidate)
		}
	}
	for _, p := range l.Packages {
		consider(p.NEVRA.String(), p.NEVRA.Name)
	}
	for _, img := range l.Images {
		consider(img.Name, repository(img.Name))
	}
	if len(near) > 0 || name == "" {
		return near
	}
	least := (len(name)+2)/3 + 1 // a third of the letters may be wrong
	typo := func(candidate, short string) {
		switch d := suggest.Distance(name, short); {
		case d < least:
			near, least = []string{candidate}, d
		case d == least && len(near) > 0 && len(near) < most:
			near = append(near, candidate)
		}
	}
	for _, p := range l.Packages {
		typo(p.NEVRA.Name, p.NEVRA.Name)
	}
	for _, img := range l.Images {
		typo(img.Name, img.Name)
		typo(img.Name, repository(img.Name))
		typo(img.Name, imageref.Split(img.Name).Base())
	}
	for _, f := range l.Files {
		typo(f.Path, path.Base(f.Path))
	}
	return slices.Compact(near)
}

// WriteText prints the chain, one step a line, then the other reasons.
func (w *Why) WriteText(out io.Writer) error {
	p := table.New(out)
	p.Line("%s", w.Name)
	for _, step := range w.Chain {
		p.Line("  %s", step)
	}
	if len(w.Also) > 0 {
		p.Line("also:")
	}
	for _, step := range w.Also {
		p.Line("  %s", step)
	}
	return p.Flush()
}
