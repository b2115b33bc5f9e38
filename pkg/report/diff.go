package report

import (
	"io"
	"sort"

	"kubecrate/manifest"
	"kubecrate/pkg/table"
)

// Change is one difference: Old or New is empty where a thing was added or
// removed.
type Change struct {
	Kind manifest.Kind `json:"kind"`
	Name string        `json:"name"`
	Old  string        `json:"old,omitempty"`
	New  string        `json:"new,omitempty"`
}

// Diff lists what differs from a to b, sorted by kind and name: packages by
// name and architecture, images by repository, files by path.
func Diff(a, b *manifest.Lock) []Change {
	var changes []Change
	add := func(kind manifest.Kind, before, after map[string]string) {
		for name, old := range before {
			if after[name] != old {
				changes = append(changes, Change{kind, name, old, after[name]})
			}
		}
		for name, now := range after {
			if _, ok := before[name]; !ok {
				changes = append(changes, Change{kind, name, "", now})
			}
		}
	}
	add(manifest.KindRPM, packagesOf(a), packagesOf(b))
	add(manifest.KindImage, imagesOf(a), imagesOf(b))
	add(manifest.KindFile, filesOf(a), filesOf(b))
	order := map[manifest.Kind]int{manifest.KindRPM: 0, manifest.KindImage: 1, manifest.KindFile: 2}
	sort.Slice(changes, func(i, j int) bool {
		if changes[i].Kind != changes[j].Kind {
			return order[changes[i].Kind] < order[changes[j].Kind]
		}
		return changes[i].Name < changes[j].Name
	})
	return changes
}

// WriteDiff prints changes one a line, marked +, - and ~ as added, removed and
// changed.
func WriteDiff(w io.Writer, changes []Change) error {
	p := table.New(w)
	for _, c := range changes {
		switch {
		case c.Old == "":
			p.Line("+ %s\t%s\t%s", c.Kind, c.Name, c.New)
		case c.New == "":
			p.Line("- %s\t%s\t%s", c.Kind, c.Name, c.Old)
		default:
			p.Line("~ %s\t%s\t%s -> %s", c.Kind, c.Name, c.Old, c.New)
		}
	}
	if len(changes) == 0 {
		p.Line("no differences in packages, images and files")
	}
	return p.Flush()
}

// put adds a value; a name that has one already has both, as with two tags of
// one repository.
func put(m map[string]string, name, value string) {
	if have := m[name]; have != "" {
		value = have + ", " + value
	}
	m[name] = value
}

func packagesOf(l *manifest.Lock) map[string]string {
	m := map[string]string{}
	for _, p := range l.Packages {
		put(m, p.NEVRA.Name+archSuffix(p.NEVRA), p.NEVRA.String()+" "+Short(p.SHA256))
	}
	return m
}

func imagesOf(l *manifest.Lock) map[string]string {
	m := map[string]string{}
	for _, img := range l.Images {
		put(m, repository(img.Name), img.Name+" "+Short(img.Digest))
	}
	return m
}

func filesOf(l *manifest.Lock) map[string]string {
	m := map[string]string{}
	for _, f := range l.Files {
		m[f.Path] = Short(f.SHA256)
	}
	return m
}
