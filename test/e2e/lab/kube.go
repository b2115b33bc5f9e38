package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// KubernetesVersion is what Kubernetes builds.
const KubernetesVersion = "v1.17.4"

// kubeCommands are the programs that the images of a cluster and its hosts hold.
func kubeCommands() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubeadm", "kubelet", "kubectl"}
}

// openapiStub takes the place of the one package that the module does not ship
// because it is generated: the API server then serves no OpenAPI document.
const openapiStub = `package openapi

import "k8s.io/kube-openapi/pkg/common"

// GetOpenAPIDefinitions knows none.
func GetOpenAPIDefinitions(common.ReferenceCallback) map[string]common.OpenAPIDefinition { return nil }
`

// Kubernetes builds the programs of Kubernetes from the module proxy, stripped
// and static, and returns their folder. It takes seven minutes on two
// processors, once: the folder is kept in the cache.
func (l *Lab) Kubernetes(ctx context.Context) (string, error) {
	dir := filepath.Join(l.Cache, "kubernetes-"+KubernetesVersion+"-"+runtime.Version())
	if _, err := os.Stat(filepath.Join(dir, "built")); err == nil {
		return dir, nil
	}
	l.logf("building Kubernetes %s", KubernetesVersion)
	src := filepath.Join(l.Cache, "kubernetes-src")
	if err := kubeSource(ctx, src); err != nil {
		return "", fmt.Errorf("cannot prepare the source of Kubernetes: %w", err)
	}
	argv := []string{"go", "build", "-mod=mod", "-trimpath", "-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion,
		"-o", dir + string(filepath.Separator)}
	for _, name := range kubeCommands() {
		argv = append(argv, "./cmd/"+name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot build Kubernetes: %w", err)
	}
	if _, err := RunIn(ctx, src, []string{"CGO_ENABLED=0", "GOFLAGS="}, argv...); err != nil {
		return "", fmt.Errorf("cannot build Kubernetes: %w", err)
	}
	if err := os.RemoveAll(src); err != nil {
		return "", fmt.Errorf("cannot remove the source of Kubernetes: %w", err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "built"), nil, 0o644)
}

// kubeSource makes a writable copy of the module whose go.mod today's Go can
// use: staging modules from the proxy, a domain that is gone replaced, and two
// modules raised without which kubeadm panics while it encodes JSON.
func kubeSource(ctx context.Context, src string) error {
	out, err := Run(ctx, "go", "mod", "download", "-json", "k8s.io/kubernetes@"+KubernetesVersion)
	if err != nil {
		return err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(out), &module); err != nil {
		return err
	}
	if err := os.RemoveAll(src); err != nil {
		return err
	}
	if _, err := Run(ctx, "cp", "-r", "--no-preserve=mode", module.Dir, src); err != nil {
		return err
	}
	mod := filepath.Join(src, "go.mod")
	text, err := os.ReadFile(mod)
	if err != nil {
		return err
	}
	staging := regexp.MustCompile(`=> \./staging/src/(\S+)`)
	text = staging.ReplaceAll(text, []byte("=> $1 "+strings.Replace(KubernetesVersion, "v1.", "v0.", 1)))
	if err := os.WriteFile(mod, text, 0o644); err != nil {
		return err
	}
	stub := filepath.Join(src, "pkg", "generated", "openapi", "zz_generated.openapi.go")
	if err := os.WriteFile(stub, []byte(openapiStub), 0o644); err != nil {
		return err
	}
	_, err = RunIn(ctx, src, nil, "go", "mod", "edit",
		"-replace=vbom.ml/util=github.com/fvbommel/util@v0.0.0-20180919145318-efcd4e0f9787",
		"-replace=github.com/modern-go/reflect2=github.com/modern-go/reflect2@v1.0.2",
		"-replace=github.com/json-iterator/go=github.com/json-iterator/go@v1.1.12")
	return err
}

// Program builds main packages of modules on the proxy, each "path@version",
// static and stripped, and returns their folder, which the cache keeps.
func (l *Lab) Program(ctx context.Context, label string, packages ...string) (string, error) {
	dir := filepath.Join(l.Cache, label+"-"+runtime.Version())
	if _, err := os.Stat(filepath.Join(dir, "built")); err == nil {
		return dir, nil
	}
	l.logf("building %s", label)
	scratch := filepath.Join(dir, "src")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return "", fmt.Errorf("cannot build %s: %w", label, err)
	}
	steps := [][]string{{"go", "mod", "init", "lab"}, append([]string{"go", "get"}, packages...)}
	build := []string{"go", "build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
	for _, p := range packages {
		path, _, _ := strings.Cut(p, "@")
		build = append(build, path)
	}
	for _, argv := range append(steps, build) {
		if _, err := RunIn(ctx, scratch, []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}, argv...); err != nil {
			return "", fmt.Errorf("cannot build %s: %w", label, err)
		}
	}
	if err := os.RemoveAll(scratch); err != nil {
		return "", fmt.Errorf("cannot build %s: %w", label, err)
	}
	return dir, os.WriteFile(filepath.Join(dir, "built"), nil, 0o644)
}
