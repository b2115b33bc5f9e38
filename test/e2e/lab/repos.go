package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Repos are the yum repositories of the lab, folders below one root.
type Repos struct {
	Root   string
	Signer *Signer // signed the packages of docker-ce and kubernetes, and the stand-ins
	Real   bool    // base and extras hold the real RPMs of the shared data
	data   string
}

// Trust is who may sign the packages of a repository: paths of keys, and the
// fingerprints that are pinned.
type Trust struct{ Keys, Fingerprints []string }

// Trust returns the keys of a repository. The real RPMs come from mirrors of
// CentOS, Oracle and Red Hat, each signed by its own.
func (r *Repos) Trust(repo string) Trust {
	if !r.Real || repo != RepoBase && repo != RepoExtras {
		return Trust{[]string{r.Signer.Public}, []string{r.Signer.Fingerprint}}
	}
	key := func(name string) string { return filepath.Join(r.data, "keys", "dgk", name) }
	return Trust{
		[]string{key("centos_RPM-GPG-KEY-CentOS-7"), key("oraclelinux_RPM-GPG-KEY-oracle-ol7"), key("redhat_RPM-GPG-KEY-redhat7-release")},
		[]string{"6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5", "42144123FECFC55B9086313D72F97B74EC551F03", "567E347AD0044ADE55BA8A5F199E2F91FD431D51"},
	}
}

// The folders below Repos.Root, one repository each.
const (
	RepoBase       = "base"       // real RPMs of CentOS 7, where the shared data is
	RepoUpdates    = "updates"    // stand-ins of what base lacks
	RepoExtras     = "extras"     // older real RPMs
	RepoDocker     = "docker-ce"  // made after docker's spec
	RepoKubernetes = "kubernetes" // made after kubernetes' specs
)

// MakeRepos makes the repositories, signs what the lab made and runs
// createrepo_c over each. data is SharedData; without it, base holds
// stand-ins of the packages that the made ones name.
func (l *Lab) MakeRepos(ctx context.Context, data string) (*Repos, error) {
	signer, err := l.NewSigner(ctx, "kubecrate")
	if err != nil {
		return nil, err
	}
	r := &Repos{Root: filepath.Join(l.Dir, "repos"), Signer: signer, Real: data != "", data: data}
	made := map[string][]Spec{RepoUpdates: FillerSpecs(), RepoDocker: DockerSpecs(), RepoKubernetes: KubernetesSpecs()}
	if r.Real {
		for _, from := range [][2]string{{"el7-docker-closure", RepoBase}, {"el7-k8s-deps", RepoBase}, {"el7", RepoExtras}} {
			if err := linkFiles(filepath.Join(data, "rpms", from[0]), filepath.Join(r.Root, from[1])); err != nil {
				return nil, err
			}
		}
	} else {
		made[RepoUpdates] = append(made[RepoUpdates], StandInSpecs()...)
	}
	for repo, specs := range made {
		dir := filepath.Join(r.Root, repo)
		if err := l.BuildRPMs(ctx, dir, specs...); err != nil {
			return nil, err
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
		if err != nil {
			return nil, fmt.Errorf("cannot list %s: %w", dir, err)
		}
		if err := signer.Sign(ctx, files...); err != nil {
			return nil, err
		}
	}
	for _, repo := range []string{RepoBase, RepoUpdates, RepoExtras, RepoDocker, RepoKubernetes} {
		dir := filepath.Join(r.Root, repo)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a repository: %w", err)
		}
		if err := CreateRepo(ctx, dir); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// linkFiles links the regular files of from into to, with absolute symbolic links.
func linkFiles(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", from, err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", to, err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		src, err := filepath.Abs(filepath.Join(from, e.Name()))
		if err != nil {
			return fmt.Errorf("cannot link %s: %w", e.Name(), err)
		}
		if err := os.Symlink(src, filepath.Join(to, e.Name())); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot link %s: %w", e.Name(), err)
		}
	}
	return nil
}
