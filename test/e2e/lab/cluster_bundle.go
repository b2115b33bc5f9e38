package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ClusterBundle builds the default profile's bundle in dir with the program
// bundle (its path) from the lab's own registry and repositories, for hosts on
// which BaseSpec's package is installed. It returns the path of the archive;
// the installer lies beside it. The current directory is one of this module.
func (l *Lab) ClusterBundle(ctx context.Context, program, dir string) (archive string, err error) {
	images, err := l.ClusterImages(ctx)
	if err != nil {
		return "", err
	}
	repos, err := l.ClusterRepos(ctx)
	if err != nil {
		return "", err
	}
	registry, err := l.Filled(ctx, "cluster", images)
	if err != nil {
		return "", err
	}
	yum, err := l.Serve(repos.Root)
	if err != nil {
		return "", err
	}
	text, err := clusterManifest(ctx, registry.Addr, yum.URL, repos)
	if err != nil {
		return "", err
	}
	base := BaseSpec()
	baseline := fmt.Sprintf("%s-0:%s-%s.%s\n", base.Name, base.Version, base.Release, base.arch())
	for name, content := range map[string]string{"cluster.manifest.yaml": text, "baseline.txt": baseline} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("cannot write the manifest of the bundle: %w", err)
		}
	}
	out := filepath.Join(dir, "out")
	l.logf("building the bundle")
	if _, err := RunIn(ctx, dir, []string{"XDG_CACHE_HOME=" + filepath.Join(dir, "cache")},
		program, "build", "cluster.manifest.yaml", "-o", out, "--progress", "plain"); err != nil {
		return "", fmt.Errorf("cannot build the bundle: %w", err)
	}
	return filepath.Join(out, clusterName+"-amd64.tar.zst"), os.RemoveAll(filepath.Join(dir, "cache"))
}

const clusterName = "kubernetes-1.17.4-el7"

// clusterManifest extends the default profile with the lab's servers as mirrors.
func clusterManifest(ctx context.Context, hub, yum string, repos *Repos) (string, error) {
	module, err := Run(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	flannel := filepath.Join(strings.TrimSpace(module), "manifest", "files", "kube-flannel-0.14.0.yml")
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("apiVersion: kubecrate/v1\nkind: Bundle\nname: %[1]s\nextends: %[1]s", clusterName)
	p("packages:\n  baseline: baseline.txt\n  repos:")
	for _, id := range repoNames() {
		p("    - id: %s\n      baseurl: [%s/%s]\n      gpgkey: [%s]\n      fingerprints: [%s]", id, yum, id, repos.Signer.Public, repos.Signer.Fingerprint)
	}
	p("images:\n  mirrors:\n    k8s.gcr.io: [%[1]s/google_containers]\n    quay.io: [%[1]s]\n    docker.io: [%[1]s]", hub)
	p("files:\n  - {url: %s, path: manifests/kube-flannel.yml, images: true, roles: [master]}", flannel)
	return b.String(), nil
}
