package cni

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOwner: no other package speaks of a network. What is known of one stands in
// this package, or a part of the program would silently miss it.
func TestOwner(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{ // by directory or file: why
		"manifest":                "owns the words of a manifest, and explains them",
		"pkg/demo":                "makes up a bundle",
		"pkg/visible/hostiletest": "makes up a bundle, for tests",
		"cmd/bundle/flags.go":     "examples in help",
		"cmd/bundle/why.go":       "examples in help",
	}
	const root = "../.."
	known := regexp.MustCompile(`(?i)flannel|calico|canal|\bcali|felix|weave|cilium|antrea|cni0|vxlan|tunl0|kube-router|kube-ovn`)
	seen := 0
	for _, top := range []string{"cmd", "manifest", "pkg"} {
		err := fs.WalkDir(os.DirFS(root), top, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || path.Dir(name) == "pkg/cni" || allowed[name] != "" || allowed[path.Dir(name)] != "" {
				return err
			}
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return err
			}
			seen++
			var s scanner.Scanner // which leaves comments out
			s.Init(token.NewFileSet().AddFile(name, -1, len(text)), text, nil, 0)
			for {
				_, kind, literal := s.Scan()
				if kind == token.EOF {
					return nil
				}
				if word := known.FindString(literal); word != "" {
					t.Errorf("%s: %s is known there: write it into package cni, and ask Networks", name, word)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const least = 100
	if seen < least {
		t.Errorf("only %d files were read", seen)
	}
}
