package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"install": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

// TestLinksNoOutside: the installer links nothing that fetches from the outside, and
// none of the builder's libraries.
func TestLinksNoOutside(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "kubecrate/cmd/install").Output()
	if err != nil {
		t.Fatalf("cannot list the installer's packages: %v", err)
	}
	forbidden := []string{
		"kubecrate/pkg/source", "kubecrate/pkg/store", "kubecrate/pkg/bundle", "kubecrate/pkg/depsolve",
		"github.com/google/go-containerregistry/pkg/v1/remote", "github.com/invopop/jsonschema", "github.com/google/rpmpack",
		"github.com/ProtonMail/go-crypto", "github.com/go-air/gini",
	}
	deps := strings.Fields(string(out))
	if len(deps) == 0 {
		t.Fatal("go list names no package")
	}
	for _, dep := range deps {
		for _, f := range forbidden {
			if dep == f || strings.HasPrefix(dep, f+"/") {
				t.Errorf("the installer links %s", dep)
			}
		}
	}
}

// TestOneClient: of the packages that the installer links, only clusterhttp, whose
// client connects to the cluster alone, uses HTTP.
func TestOneClient(t *testing.T) {
	t.Parallel()
	const client = "kubecrate/pkg/clusterhttp"
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{range .Imports}}{{.}} {{end}}{{end}}", "kubecrate/cmd/install").Output()
	if err != nil {
		t.Fatalf("cannot list the installer's packages: %v", err)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		for _, imported := range words[1:] {
			if imported != "net/http" && !strings.HasPrefix(imported, "net/http/") && imported != "net/rpc" && imported != "net/smtp" {
				continue
			}
			if found = found || words[0] == client; words[0] != client {
				t.Errorf("%s imports %s", words[0], imported)
			}
		}
	}
	if !found {
		t.Errorf("%s is not linked", client)
	}
}
