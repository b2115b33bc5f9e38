package bundle

import (
	"io"
	"os"
	"syscall"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
)

// Result describes the output of a build. Sizes are bytes.
type Result struct {
	Files      []WrittenFile `json:"files"`
	Level      string        `json:"level"`
	Packages   int           `json:"packages"`
	Images     int           `json:"images"`
	Members    int           `json:"members"`
	Raw        int64         `json:"raw"`        // of all members before compression
	Compressed int64         `json:"compressed"` // of the archive
	Seconds    float64       `json:"seconds"`
	Parts      []Part        `json:"parts"`

	// Key is the public key that the archive is signed by, as minisign writes it,
	// "" for an unsigned archive; Fingerprint is the part that people compare.
	Key         string `json:"key,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`

	onStick bool // they were written to a file system of their own
}

// WrittenFile is one file in the target directory. SHA256 is empty where it
// was not computed.
type WrittenFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
}

// Part sums the members of one kind.
type Part struct {
	Kind    manifest.Kind `json:"kind"`
	Members int           `json:"members"`
	Raw     int64         `json:"raw"`
}

func (b *builder) result(w *archive.Written) *Result {
	r := &Result{
		Level: b.level.String(), Packages: len(b.lock.Packages), Images: len(b.lock.Images),
		Members: len(w.Index.Members), Compressed: w.Size,
	}
	for _, f := range w.Files {
		r.Files = append(r.Files, WrittenFile{Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	if info, err := os.Stat(w.Sidecar); err == nil {
		r.Files = append(r.Files, WrittenFile{Path: w.Sidecar, Size: info.Size()})
	}
	for _, f := range w.Programs {
		r.Files = append(r.Files, WrittenFile{Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	at := map[manifest.Kind]int{}
	for _, m := range w.Index.Members {
		i, ok := at[m.Kind]
		if !ok {
			i = len(r.Parts)
			at[m.Kind] = i
			r.Parts = append(r.Parts, Part{Kind: m.Kind})
		}
		r.Parts[i].Members++
		r.Parts[i].Raw += m.Size
		r.Raw += m.Size
	}
	return r
}

// isMounted reports whether dir is on a file system other than that of / and that of
// the current directory: a stick.
func isMounted(dir string) bool {
	device := func(name string) (uint64, bool) {
		info, err := os.Stat(name)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(st.Dev), true //nolint:unconvert // 32 bits on other systems
	}
	own, ok := device(dir)
	for _, other := range []string{"/", "."} {
		if d, known := device(other); !known || d == own {
			return false
		}
	}
	return ok
}

// WriteText prints the summary table and the next steps.
func (r *Result) WriteText(w io.Writer) error {
	p := table.New(w)
	p.Line("PART\tMEMBERS\tUNPACKED")
	for _, part := range r.Parts {
		p.Line("%s\t%d\t%s", part.Kind, part.Members, progress.Size(part.Raw))
	}
	p.Line("total\t%d\t%s", r.Members, progress.Size(r.Raw))
	p.Line("")
	p.Line("FILE\tSIZE\tSHA256")
	for _, f := range r.Files {
		p.Line("%s\t%s\t%s", f.Path, progress.Size(f.Size), f.SHA256)
	}
	p.Line("")
	p.Line("%d packages and %d images, %s at level %s, in %.1f s", r.Packages, r.Images, progress.Size(r.Compressed), r.Level, r.Seconds)
	if r.Key != "" {
		p.Line("signed by the key with fingerprint %s", r.Fingerprint)
	}
	next := "copy these files to the stick"
	if r.onStick {
		next = "unmount the stick before you unplug it"
	}
	p.Line("next: " + next + "; on each host: sha256sum -c *.sha256 && ./install plan --role master")
	return p.Flush()
}
