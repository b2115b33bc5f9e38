package cri

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

const (
	containerdConfig = "/etc/containerd/config.toml"
	crictlConfig     = "/etc/crictl.yaml"
	criPlugin        = "io.containerd.grpc.v1.cri"
	runcType         = "io.containerd.runc.v2"
)

// containerdStep is the step that enables containerd's CRI plugin with the systemd
// cgroup driver and the bundle's pause image, and starts containerd.
type containerdStep struct{ pause string }

// Name is step.Step's.
func (containerdStep) Name() string { return "containerd" }

// containerdPlan is the planned changes.
type containerdPlan struct {
	host.Service
	now  host.Unit
	lack string // what the running containerd lacks
}

// Check is step.Step's.
func (s containerdStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	p, err := s.plan(ctx, h)
	var no *cannot
	if errors.As(err, &no) {
		return step.Cannot(no.hint, "%s", no.says), nil
	}
	if err != nil {
		return st, err
	}
	for _, f := range p.Files {
		st.File(f.Path, f.Before, f.After)
	}
	switch {
	case !p.now.Known():
		st.Todo("start containerd.service and enable it at boot, once its package is installed")
	case p.Restarts(p.now) && p.lack != "":
		st.Todo("restart containerd: %s", p.lack)
	case p.Restarts(p.now):
		st.Todo("restart containerd; containers keep running")
	case !p.now.Active || !p.now.Starts():
		st.Todo("start containerd.service and enable it at boot")
	}
	return st, nil
}

// Apply is step.Step's.
func (s containerdStep) Apply(ctx context.Context, h *host.Host) error {
	p, err := s.plan(ctx, h)
	if err != nil {
		return err
	}
	if !p.now.Known() {
		return software.Missing(h, errors.New("containerd is not installed"), "containerd")
	}
	return p.Service.Apply(ctx, h)
}

func (s containerdStep) plan(ctx context.Context, h *host.Host) (p containerdPlan, err error) {
	if s.pause == "" {
		return p, cannotf("add k8s.gcr.io/pause:3.1 to the manifest's images, then bundle build", "the bundle has no pause image, and containerd would pull one from a registry")
	}
	pause, err := imageref.Full(s.pause)
	if err != nil {
		return p, fmt.Errorf("cannot configure containerd's sandbox image: %w", err)
	}
	p.Service = host.Service{Unit: containerdUnit}
	before, err := h.Text(containerdConfig)
	if err != nil {
		return p, err
	}
	after, err := withCRI(before, pause)
	if err != nil {
		var bad *badFile
		if !errors.As(err, &bad) {
			return p, err
		}
		return p, cannotf("mv "+containerdConfig+" "+containerdConfig+".mine; the installer then writes a new one, to which you can add your settings",
			"cannot change %s: %s", containerdConfig, bad.says)
	}
	tool, err := h.Text(crictlConfig)
	if err != nil {
		return p, err
	}
	p.Files = []host.ServiceFile{
		{Path: containerdConfig, Before: before, After: after},
		{Path: crictlConfig, Before: tool, After: withEndpoint(tool)},
	}
	if p.now, err = h.Unit(ctx, containerdUnit); err != nil {
		return p, err
	}
	if p.now.Active {
		p.lack, err = lacks(ctx, h, pause)
		p.Stale = p.lack != ""
		return p, err
	}
	mount, bad, err := noTypes(ctx, h, containerdRoot)
	if bad {
		return p, cannotf("mkfs.xfs -n ftype=1 DEVICE on a spare disk or volume, and mount it at "+containerdRoot+" (also in /etc/fstab)",
			"containerd cannot store images in %s: overlay does not work on the XFS at %s, which was created with ftype=0, the default of older releases", containerdRoot, mount)
	}
	return p, err
}

// lacks queries a running containerd and returns what it lacks.
func lacks(ctx context.Context, h *host.Host, pause string) (string, error) {
	out, err := h.Query(ctx, "crictl", "--runtime-endpoint", "unix://"+containerdSocket, "info")
	switch {
	case host.NotFound(err):
		return "", software.Missing(h, err, "crictl")
	case host.ExitCode(err) > 0:
		return "its CRI does not respond", nil
	case err != nil:
		return "", err
	}
	var info struct {
		Config struct {
			Containerd struct {
				DefaultRuntimeName string
				Runtimes           map[string]struct {
					Options struct{ SystemdCgroup bool }
				}
			}
			SandboxImage string
		}
	}
	if err := json.Unmarshal(out, &info); err != nil {
		return "", fmt.Errorf("cannot parse the output of crictl info: %w", err)
	}
	c := info.Config
	name := c.Containerd.DefaultRuntimeName
	if name == "" {
		name = "runc"
	}
	switch {
	case !c.Containerd.Runtimes[name].Options.SystemdCgroup:
		return "it does not use the systemd cgroup driver", nil
	case c.SandboxImage != pause:
		return fmt.Sprintf("its sandbox image is %s, the bundle's is %s", c.SandboxImage, pause), nil
	}
	return "", nil
}

// withEndpoint returns a crictl.yaml with containerd's socket; other lines stay.
func withEndpoint(text string) string {
	var b strings.Builder
	missing := []string{"runtime-endpoint", "image-endpoint"}
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, ":")
		if i := slices.Index(missing, strings.TrimSpace(key)); i >= 0 {
			line = endpoint(missing[i])
			missing = slices.Delete(missing, i, i+1)
		}
		b.WriteString(line)
	}
	if t := b.String(); t != "" && !strings.HasSuffix(t, "\n") {
		b.WriteString("\n")
	}
	for _, key := range missing {
		b.WriteString(endpoint(key))
	}
	return b.String()
}

func endpoint(key string) string { return key + ": unix://" + containerdSocket + "\n" }
