package cri

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/step"
)

const (
	containerdUnit   = "containerd.service"
	containerdSocket = "/run/containerd/containerd.sock"
	containerdRoot   = "/var/lib/containerd"
	// containerdNamespace is the namespace of the CRI plugin's images.
	containerdNamespace = "k8s.io"
	// keptPrefix is the prefix of temporary names for images whose name is given to
	// another; nothing can be pulled from a name below .invalid (RFC 2606).
	keptPrefix = "kept.kubecrate.invalid/"
)

// containerd is containerd with its CRI plugin.
type containerd struct{}

// Name is Runtime's.
func (containerd) Name() string { return manifest.RuntimeContainerd }

// About is Runtime's. The content store keeps layers in addition to the snapshots.
func (containerd) About() About {
	return About{
		DataDir: containerdRoot, ConfigDir: path.Dir(containerdConfig), Service: "containerd",
		Packages: []string{"containerd.io", "containerd", "containerd2"},
		Copies:   2, KeepsDigests: true,
		Show: "crictl info", Containers: "crictl ps -a",
	}
}

// The releases at which the Container Runtime Interface (CRI) changed: the kubelet
// supports v1 since 1.23 and only v1 since 1.26; containerd supports v1 since 1.6 and
// only v1 since 2.0.
const (
	criV1Minor  = 23
	onlyV1Minor = 26
	criV1       = "1.6"
	onlyV1      = "2"
)

func (containerd) misfit(minor int, build nevra.NEVRA) *Misfit {
	const fix = "pin containerd.io-VERSION under packages.roots: 1.6 and 1.7 support both"
	switch {
	case nevra.Vercmp(build.Version, onlyV1) >= 0 && minor < criV1Minor:
		return &Misfit{fmt.Sprintf("whose kubelet requires CRI v1alpha2, and %s supports only CRI v1", build), fix}
	case nevra.Vercmp(build.Version, criV1) < 0 && minor >= onlyV1Minor:
		return &Misfit{fmt.Sprintf("whose kubelet requires CRI v1, and %s does not support it", build), fix}
	}
	return nil
}

// Socket is Runtime's.
func (containerd) Socket() string { return containerdSocket }

// Steps is Runtime's.
func (containerd) Steps(o Options) []step.Step { return []step.Step{containerdStep{o.Pause}} }

func ctr(args ...string) host.Cmd {
	return host.Cmd{Argv: append([]string{"ctr", "--address", containerdSocket, "--namespace", containerdNamespace}, args...)}
}

func containerdUnavailable(h *host.Host, err error) error {
	return unavailable(h, err, "containerd", "failed to dial", "connection refused", "connection error")
}

// Load is Runtime's. containerd names images only once it has the whole stream.
func (containerd) Load(ctx context.Context, h *host.Host, r io.Reader) error {
	c := ctr("images", "import", "-")
	c.Stdin = r
	err := containerdUnavailable(h, h.Change(ctx, c, nil))
	var failed *host.CommandError
	if errors.As(err, &failed) && strings.Contains(failed.Stderr, unix.ENOSPC.Error()) {
		return hint.With(fmt.Errorf("%s is full%s; containerd stores images twice, compressed and unpacked: %w", containerdRoot, free(h, containerdRoot), err),
			"crictl images lists images, crictl rmi NAME removes one; or mount a larger disk at %s", containerdRoot)
	}
	return err
}

func (containerd) refName(ref imageref.Reference) string { return ref.Full() }

func (containerd) write(ctx context.Context, w io.Writer, archive fs.FS, names []string) error {
	return image.WriteOCI(ctx, w, archive, names)
}

// present parses the table of ctr images ls: name, media type and digest are its
// first columns.
func (containerd) present(ctx context.Context, h *host.Host) (present, error) {
	out, err := h.Run(ctx, ctr("images", "ls"))
	if err != nil {
		return present{}, containerdUnavailable(h, err)
	}
	now := present{names: map[string]string{}}
	for line := range strings.Lines(string(out)) {
		const digest = 2
		if f := strings.Fields(line); len(f) > digest && imageref.CheckDigest(f[digest]) == nil {
			now.names[f[0]] = f[digest]
		}
	}
	return now, nil
}

// keptName is the temporary name of the image that had p.Name.
func keptName(p previousTag) string {
	sum := sha256.Sum256([]byte(p.Name + " " + p.Before))
	return keptPrefix + hex.EncodeToString(sum[:]) + ":before"
}

// keep gives an image another name: containerd garbage-collects images without one.
func (containerd) keep(ctx context.Context, h *host.Host, p previousTag) error {
	return h.Change(ctx, ctr("images", "tag", "--force", p.Name, keptName(p)), nil)
}

// restore continues an earlier restore that was interrupted at any point: the
// temporary name is removed last.
func (containerd) restore(ctx context.Context, h *host.Host, now present, p previousTag) error {
	id, kept := now.names[p.Name], keptName(p)
	if !slices.Contains(p.IDs, id) { // already restored, or retagged by somebody else
		if now.names[kept] == "" {
			return nil
		}
		return h.Change(ctx, ctr("images", "rm", kept), nil)
	}
	if p.Before != "" && now.names[kept] != p.Before {
		return fmt.Errorf("cannot restore the name %s of image %s: %w", p.Name, p.Before, errGone)
	}
	var remove []string
	// The CRI plugin adds two names: the ID of the image, and its digest.
	derived, others := 0, now.named(id)
	for _, name := range others {
		if isDerived(name) {
			derived++
			remove = append(remove, name)
		}
	}
	if p.Had || len(others) > derived+1 { // not only loaded by this program
		remove = nil
	}
	if p.Before == "" {
		return h.Change(ctx, ctr(slices.Concat([]string{"images", "rm"}, remove, []string{p.Name})...), nil)
	}
	if len(remove) > 0 {
		if err := h.Change(ctx, ctr(append([]string{"images", "rm"}, remove...)...), nil); err != nil {
			return err
		}
	}
	if err := h.Change(ctx, ctr("images", "tag", "--force", kept, p.Name), nil); err != nil {
		return err
	}
	return h.Change(ctx, ctr("images", "rm", kept), nil)
}

func isDerived(name string) bool {
	return strings.HasPrefix(name, "sha256:") || strings.Contains(name, "@sha256:")
}
