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

func kubeCommandPaths() []string {
	paths := kubeCommands()
	for i, name := range paths {
		paths[i] = "./cmd/" + name
	}
	return paths
}

func kubeEnv() []string { return []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"} }

// kubeStamp is what hack/lib/version.sh of Kubernetes hands to the linker, with
// what `kubectl version` of the release says of itself.
func kubeStamp() string {
	var flags strings.Builder
	flags.WriteString("-s -w")
	for _, pair := range []string{"gitVersion=" + KubernetesVersion, "gitMajor=1", "gitMinor=17", "gitTreeState=clean",
		"gitCommit=8d8aa39598534325ad77120c120a22b3a990b5ea", "buildDate=2020-03-12T21:00:00Z"} {
		fmt.Fprintf(&flags, " -X k8s.io/component-base/version.%[1]s -X k8s.io/client-go/pkg/version.%[1]s", pair)
	}
	return flags.String()
}

// kubeID changes with what Kubernetes builds.
func kubeID() string { return KubernetesVersion + "-2-" + runtime.Version() }

// Kubernetes builds the programs of Kubernetes from the module proxy, stripped
// and static, and returns their folder. It takes nine minutes on two
// processors, once: the folder is kept in the cache.
func (l *Lab) Kubernetes(ctx context.Context) (string, error) {
	return l.once("kubernetes-"+kubeID(), func(dir string) error {
		l.logf("building Kubernetes %s", KubernetesVersion)
		src, err := os.MkdirTemp(l.Dir, "kubernetes-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(src) //nolint:errcheck // the run directory goes at Close
		src = filepath.Join(src, "kubernetes")
		if err := kubeSource(ctx, src); err != nil {
			return fmt.Errorf("cannot prepare the source of Kubernetes: %w", err)
		}
		if err := l.kubeOpenAPI(ctx, src); err != nil {
			return fmt.Errorf("cannot generate the OpenAPI definitions of Kubernetes: %w", err)
		}
		argv := append([]string{"nice", "-n", "10", "go", "build", "-mod=mod", "-trimpath", "-ldflags", kubeStamp(), "-o", dir + string(filepath.Separator)},
			kubeCommandPaths()...)
		if _, err := RunIn(ctx, src, kubeEnv(), argv...); err != nil {
			return fmt.Errorf("cannot build Kubernetes: %w", err)
		}
		return nil
	})
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
	_, err = RunIn(ctx, src, nil, "go", "mod", "edit",
		"-replace=vbom.ml/util=github.com/fvbommel/util@v0.0.0-20180919145318-efcd4e0f9787",
		"-replace=github.com/modern-go/reflect2=github.com/modern-go/reflect2@v1.0.2",
		"-replace=github.com/json-iterator/go=github.com/json-iterator/go@v1.1.12")
	return err
}
