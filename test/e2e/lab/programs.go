package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// once gives the folder NAME of the cache, which make fills the first time. It
// gets its name when it is full, so that a run that is killed leaves nothing
// that counts (test/e2e/setup --stop removes it), and two runs do not meet.
func (l *Lab) once(name string, make func(dir string) error) (string, error) {
	dir := filepath.Join(l.Cache, name)
	done := func() bool {
		_, err := os.Stat(filepath.Join(dir, ".built"))
		return err == nil
	}
	if done() {
		return dir, nil
	}
	part, err := os.MkdirTemp(l.Cache, "part-"+filepath.Base(l.Dir)+"-")
	if err != nil {
		return "", fmt.Errorf("cannot make %s: %w", name, err)
	}
	l.OnClose(func() error { return os.RemoveAll(part) })
	if err := os.Chmod(part, 0o755); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", name, err)
	}
	if err := make(part); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(part, ".built"), nil, 0o644); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", name, err)
	}
	if err := os.Rename(part, dir); err != nil && !done() {
		return "", fmt.Errorf("cannot keep %s: %w", name, err)
	}
	return dir, nil
}

// output is RunIn for what a program prints on its standard output alone.
func output(ctx context.Context, dir string, env []string, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said.String())
	}
	return out, nil
}

// Program builds main packages of modules on the proxy, each "path@version",
// static and stripped, and returns their folder, which the cache keeps.
func (l *Lab) Program(ctx context.Context, label string, packages ...string) (string, error) {
	return l.once(label+"-"+runtime.Version(), func(dir string) error {
		return l.build(ctx, label, dir, []string{"CGO_ENABLED=0"}, "-s -w", packages...)
	})
}

func (l *Lab) build(ctx context.Context, label, dir string, env []string, ldflags string, packages ...string) error {
	l.logf("building %s", label)
	scratch, err := os.MkdirTemp(l.Dir, "program-")
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", label, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // the run directory goes at Close
	build := []string{"nice", "-n", "10", "go", "build", "-mod=mod", "-trimpath", "-ldflags", ldflags, "-o", dir + string(filepath.Separator)}
	for _, p := range packages {
		path, _, _ := strings.Cut(p, "@")
		build = append(build, path)
	}
	env = append([]string{"GOFLAGS=", "GOWORK=off"}, env...)
	for _, argv := range [][]string{{"go", "mod", "init", "lab"}, append([]string{"go", "get"}, packages...), build} {
		if _, err := RunIn(ctx, scratch, env, argv...); err != nil {
			return fmt.Errorf("cannot build %s: %w", label, err)
		}
	}
	return nil
}

// The versions of what the lab builds beside Kubernetes.
const (
	corednsVersion = "v1.6.5"
	cniVersion     = "v0.8.7"
	flannelVersion = "v0.14.0"
	flannelGo      = "go1.21.13" // later ones reject an alphabet of its etcd client
)

// programs are the folders of what the RPMs and images of a cluster hold.
type programs struct {
	kubernetes, coredns, cni, flannel, crictl string
	debs                                      string // folders by package name
	id                                        string // changes with debs
}

func (l *Lab) programs(ctx context.Context) (p programs, err error) {
	if p.debs, err = l.debs(ctx); err != nil {
		return p, err
	}
	p.id = strings.TrimPrefix(filepath.Base(p.debs), "debs-bookworm-")
	if p.kubernetes, err = l.Kubernetes(ctx); err != nil {
		return p, err
	}
	if p.coredns, err = l.Program(ctx, "coredns-"+corednsVersion, "github.com/coredns/coredns@"+corednsVersion); err != nil {
		return p, err
	}
	if p.cni, err = l.Program(ctx, "cni-"+cniVersion, cniPlugins()...); err != nil {
		return p, err
	}
	if p.crictl, err = l.Program(ctx, "crictl-v1.34.0", "sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0"); err != nil {
		return p, err
	}
	p.flannel, err = l.once("flannel-"+flannelVersion+"-"+flannelGo, func(dir string) error {
		const module = "github.com/flannel-io/flannel"
		return l.build(ctx, "flannel", dir, []string{"CGO_ENABLED=1", "GOTOOLCHAIN=" + flannelGo},
			"-s -w -X "+module+"/version.Version="+flannelVersion+" -extldflags -static", module+"@"+flannelVersion)
	})
	return p, err
}

// cniPlugins are those of the package kubernetes-cni 0.8.7.
func cniPlugins() []string {
	plugins := strings.Fields("main/bridge main/host-device main/ipvlan main/loopback main/macvlan main/ptp main/vlan " +
		"ipam/dhcp ipam/host-local ipam/static meta/bandwidth meta/firewall meta/flannel meta/portmap meta/sbr meta/tuning")
	for i, name := range plugins {
		plugins[i] = "github.com/containernetworking/plugins/plugins/" + name + "@" + cniVersion
	}
	return plugins
}
