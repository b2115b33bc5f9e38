package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	Dir, ImportPath string
	Standard        bool
	GoFiles         []string
}

// kubeOpenAPI writes the one package that the module of Kubernetes does not
// ship because it is generated: the API server serves it as its document, and
// kubectl apply validates against that. The generator is the one that the
// module pins; it knows GOPATH only, so the packages are laid out as one.
// It stands in for the gen_openapi target of Kubernetes' own Makefile.
func (l *Lab) kubeOpenAPI(ctx context.Context, src string) error {
	packages, err := kubePackages(ctx, src)
	if err != nil {
		return err
	}
	gopath, err := os.MkdirTemp(l.Dir, "gopath-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(gopath) //nolint:errcheck // the run directory goes at Close
	var tagged []string
	for _, p := range packages {
		has, err := p.layOut(filepath.Join(gopath, "src", filepath.FromSlash(p.ImportPath)))
		if err != nil {
			return err
		}
		if has {
			tagged = append(tagged, p.ImportPath)
		}
	}
	generator := filepath.Join(gopath, "openapi-gen")
	if _, err := RunIn(ctx, src, kubeEnv(), "go", "build", "-mod=mod", "-o", generator, "k8s.io/kube-openapi/cmd/openapi-gen"); err != nil {
		return err
	}
	header := filepath.Join(gopath, "header")
	if err := os.WriteFile(header, nil, 0o644); err != nil {
		return err
	}
	const generated = "k8s.io/kubernetes/pkg/generated/openapi"
	if _, err := RunIn(ctx, gopath, []string{"GO111MODULE=off", "GOPATH=" + gopath, "GOFLAGS="}, generator,
		"--input-dirs", strings.Join(tagged, ","), "--output-base", filepath.Join(gopath, "src"), "--output-package", generated,
		"--output-file-base", "zz_generated.openapi", "--go-header-file", header,
		"--report-filename", filepath.Join(gopath, "violations")); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(gopath, "src", filepath.FromSlash(generated), "zz_generated.openapi.go"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(src, "pkg", "generated", "openapi", "zz_generated.openapi.go"), text, 0o644)
}

// kubePackages lists the packages, but for the standard library's, that the
// programs of Kubernetes link.
func kubePackages(ctx context.Context, src string) ([]goPackage, error) {
	argv := append([]string{"go", "list", "-mod=mod", "-e", "-deps", "-json=Dir,ImportPath,Standard,GoFiles"}, kubeCommandPaths()...)
	out, err := output(ctx, src, kubeEnv(), argv...)
	if err != nil {
		return nil, err
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot read what go list says: %w", err)
		}
		if !p.Standard && len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
}

// layOut links the files of the package into dir and says whether one of them
// asks for OpenAPI definitions.
func (p goPackage) layOut(dir string) (tagged bool, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	for _, name := range p.GoFiles {
		file := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(p.ImportPath, "k8s.io/") && !strings.HasPrefix(p.ImportPath, "k8s.io/kube-openapi/") &&
			bytes.Contains(text, []byte("\n// +k8s:openapi-gen=true\n")) {
			tagged = true
		}
		if err := os.Symlink(file, filepath.Join(dir, name)); err != nil {
			return false, err
		}
	}
	return tagged, nil
}
