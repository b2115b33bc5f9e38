package house

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// knowledge is what one package knows, and nobody else on the installer's side:
// the words of it in strings and in names.
type knowledge struct {
	what   string
	owner  string
	text   *regexp.Regexp // in a string
	name   *regexp.Regexp // in an identifier
	except map[string]limit
}

func knowledges() []knowledge {
	return []knowledge{
		{
			what: "places that know a network", owner: "pkg/cni", except: networkPlaces(),
			text: regexp.MustCompile(`(?i)flannel|calico|canal|\bcali`), name: regexp.MustCompile(`(?i)flannel|calico|canal`),
		},
		{
			what: "places that know a runtime", owner: "pkg/cri", except: runtimePlaces(),
			text: regexp.MustCompile(`(?i)docker($|[^.])|containerd`), name: regexp.MustCompile(`(?i)docker|containerd`),
		},
		{
			what: "places that know a package manager", owner: "pkg/distro", except: managerPlaces(),
			text: regexp.MustCompile(`(?i)\b(yum|dnf|rpm)\b`), name: regexp.MustCompile(`^(?i:yum|dnf)|(Yum|DNF|Dnf)`),
		},
	}
}

// places counts the strings and names in which the packages that the installer
// links know what k is about, by package; files are those with one, owner and all.
func (h *house) places(k knowledge) (places map[string]int, files int) {
	places = map[string]int{}
	linked := h.linked("cmd/install")
	h.each(func(dir string, s *source) {
		if !linked[dir] || dir == k.owner {
			return
		}
		n := 0
		ast.Inspect(s.file, func(node ast.Node) bool {
			switch x := node.(type) {
			case *ast.ImportSpec, *ast.Field:
				_, isImport := node.(*ast.ImportSpec)
				return !isImport
			case *ast.BasicLit:
				if text, err := strconv.Unquote(x.Value); x.Kind == token.STRING && err == nil && k.text.MatchString(text) {
					n++
				}
			case *ast.Ident:
				if k.name.MatchString(x.Name) {
					n++
				}
			}
			return true
		})
		if n > 0 {
			places[dir] += n
			files++
		}
	}, nil)
	return places, files
}

// TestOneOwner: what is known of a network, a runtime or a package manager is
// known by its package.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, k := range knowledges() {
		if h.packages[k.owner] == nil {
			t.Errorf("%s is gone", k.owner)
		}
		found, _ := h.places(k)
		within(t, k.what, found, 0, k.except)
	}
}

// modules lists the packages that import each third-party module, by the module.
func (h *house) modules() map[string][]string {
	found := map[string][]string{}
	h.each(func(dir string, s *source) {
		for _, i := range s.imports() {
			host, _, _ := strings.Cut(i, "/")
			if !strings.Contains(host, ".") {
				continue
			}
			m := moduleOf(i)
			if !slices.Contains(found[m], dir) {
				found[m] = append(found[m], dir)
			}
		}
	}, nil)
	return found
}

// moduleOf is the module of an import, near enough: three elements on a host of
// repositories, two elsewhere.
func moduleOf(path string) string {
	parts := strings.Split(path, "/")
	most := 2
	switch parts[0] {
	case "github.com", "golang.org":
		most = 3
	}
	return strings.Join(parts[:min(most, len(parts))], "/")
}

// TestOneImporter: a third-party module is imported by one package.
func TestOneImporter(t *testing.T) {
	t.Parallel()
	h := open(t)
	found := h.modules()
	table := importers()
	for _, m := range slices.Sorted(maps.Keys(found)) {
		want, ok := table[m]
		if !ok {
			if len(found[m]) > 1 {
				t.Errorf("%s is imported by %v, want one package", m, found[m])
			}
			continue
		}
		if want.why == "" {
			t.Errorf("%s is an exception without a reason", m)
		}
		for _, dir := range found[m] {
			if !slices.ContainsFunc(want.by, func(by string) bool {
				prefix, below := strings.CutSuffix(by, "/...")
				return dir == by || below && (dir == prefix || strings.HasPrefix(dir, prefix+"/"))
			}) {
				t.Errorf("%s is imported by %s, want %v alone", m, dir, want.by)
			}
		}
	}
}

// imported is who may import a module that several packages need, and why.
type imported struct {
	by  []string
	why string
}
