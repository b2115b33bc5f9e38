package cri

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

const (
	dockerUnit = "docker.service"
	// dockerHost is the socket that the kubelet uses, regardless of DOCKER_HOST and
	// the operator's docker context.
	dockerHost = "unix:///var/run/docker.sock"
	dockerRoot = "/var/lib/docker"
)

// docker is dockerd with the kubelet's dockershim.
type docker struct{}

// Name is Runtime's.
func (docker) Name() string { return manifest.RuntimeDocker }

// About is Runtime's. Kubernetes 1.24 removed dockershim from the kubelet.
func (docker) About() About {
	return About{
		DataDir: dockerRoot, ConfigDir: path.Dir(daemonJSON), Service: "docker", With: []string{"docker.socket", containerdUnit},
		Packages: []string{"docker-ce", "docker-ee", "docker-engine", "docker.io", "docker", "moby-engine"},
		Conflicts: []string{
			"docker", "docker-ce-cli", "docker-client", "docker-client-latest", "docker-common", "docker-ee", "docker-ee-cli",
			"docker-engine", "docker-engine-selinux", "docker-latest", "docker-latest-logrotate", "docker-logrotate",
			"moby-cli", "moby-engine", "podman-docker",
		},
		Links: []string{"br-", "docker"}, Copies: 1, GoneMinor: 24,
		KubeletDirs: []string{"/var/lib/dockershim"},
		Aliases:     []string{"/run/dockershim.sock", "/var/run/docker.sock", "/run/docker.sock"},
		Show:        "docker info", Containers: "docker ps -a",
	}
}

// Socket is that of dockershim, which kubeadm expects for docker.
func (docker) Socket() string { return "/var/run/dockershim.sock" }

// Steps is Runtime's.
func (docker) Steps(Options) []step.Step { return []step.Step{dockerStep{}} }

func dockerCmd(args ...string) host.Cmd {
	return host.Cmd{Argv: append([]string{"docker", "-H", dockerHost}, args...)}
}

func dockerUnavailable(h *host.Host, err error) error {
	return unavailable(h, err, "docker", "Cannot connect to the Docker daemon", "Is the docker daemon running")
}

// Load is Runtime's. docker reads the whole stream into a temporary directory before
// it stores any image.
func (d docker) Load(ctx context.Context, h *host.Host, r io.Reader) error {
	c := dockerCmd("load")
	c.Stdin = r
	err := dockerUnavailable(h, h.Change(ctx, c, nil))
	var failed *host.CommandError
	if !errors.As(err, &failed) || !strings.Contains(failed.Stderr, syscall.ENOSPC.Error()) {
		return err
	}
	dir := dockerRoot
	if out, infoErr := h.Run(ctx, dockerCmd("info", "--format", "{{.DockerRootDir}}")); infoErr == nil && len(out) > 1 {
		dir = strings.TrimSpace(string(out))
	}
	return hint.With(fmt.Errorf("%s is full%s; docker needs space for the images twice while it loads them: %w", dir, free(h, dir), err),
		"docker system df shows what uses the space, docker image prune removes untagged images; or mount a larger disk at %s", dir)
}

// free returns the free space at a path, as part of a sentence.
func free(h *host.Host, at string) string {
	_, n, err := h.Space(at)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (%s free)", progress.Size(n))
}

func (docker) refName(ref imageref.Reference) string { return ref.DockerTag() }

func (docker) write(ctx context.Context, w io.Writer, archive fs.FS, names []string) error {
	return image.WriteDocker(ctx, w, archive, names)
}

// present lists all images; unlike docker inspect, it does not fail if one is missing.
func (docker) present(ctx context.Context, h *host.Host) (present, error) {
	out, err := h.Run(ctx, dockerCmd("image", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
	if err != nil {
		return present{}, dockerUnavailable(h, err)
	}
	now := present{names: map[string]string{}, untagged: map[string]bool{}}
	for line := range strings.Lines(string(out)) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case !ok:
		case strings.Contains(name, "<none>"):
			now.untagged[id] = true
		default:
			now.names[name] = id
		}
	}
	for id := range now.untagged {
		if len(now.named(id)) > 0 {
			delete(now.untagged, id)
		}
	}
	return now, nil
}

func (d docker) restore(ctx context.Context, h *host.Host, now present, p previousTag) error {
	id := now.names[p.Name]
	last := len(now.named(id)) == 1
	switch {
	case !slices.Contains(p.IDs, id): // already restored, or retagged by somebody else
	case p.Before == "" && p.Had && last: // removing its only name would remove the image
	case p.Before == "":
		return d.remove(ctx, h, p.Name)
	case !now.has([]string{p.Before}):
		return fmt.Errorf("cannot restore the name %s of image %s: %w", p.Name, p.Before, errGone)
	default:
		if err := h.Change(ctx, dockerCmd("tag", p.Before, p.Name), nil); err != nil {
			return err
		}
		now.untagged[id] = last
	}
	for _, id := range p.IDs {
		if now.untagged[id] && !p.Had {
			return d.remove(ctx, h, id)
		}
	}
	return nil
}

// remove removes an image, unless a container uses it.
func (docker) remove(ctx context.Context, h *host.Host, what string) error {
	err := h.Change(ctx, dockerCmd("image", "rm", what), nil)
	var failed *host.CommandError
	if errors.As(err, &failed) && (strings.Contains(failed.Stderr, "conflict:") || strings.Contains(failed.Stderr, "No such image")) {
		return nil
	}
	return err
}
