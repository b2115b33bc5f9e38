package hosttest

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Containerd is a double of containerd, of its client and of crictl. It answers
// while containerd.service is active, with what its file said when that was started.
type Containerd struct {
	Images map[string]string // name, digest

	m      *Machine
	config string
}

// NewContainerd gives m a containerd. To have it installed, add
// containerd.service to Units.
func NewContainerd(m *Machine) *Containerd {
	c := &Containerd{Images: map[string]string{}, m: m}
	m.Programs["ctr"], m.Programs["crictl"], m.Programs["systemctl"] = c.ctr, c.crictl, c.systemctl
	return c
}

func (c *Containerd) systemctl(args []string, stdin string) (string, error) {
	if verb := args[0]; args[len(args)-1] == "containerd.service" && (verb == "start" || verb == "restart") {
		text, err := os.ReadFile(filepath.Join(c.m.root, "etc/containerd/config.toml"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		c.config = string(text)
	}
	return c.m.systemctl(args, stdin)
}

// State is the images, as text.
func (c *Containerd) State() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Images)) {
		fmt.Fprintf(&b, "%s %s\n", name, c.Images[name])
	}
	return b.String()
}

func (c *Containerd) up() error {
	u := c.m.Units["containerd.service"]
	if u == nil {
		return notFound("ctr")
	}
	if !u.Active {
		return &Exit{Code: 1, Stderr: `ctr: failed to dial "/run/containerd/containerd.sock": connection refused`}
	}
	return nil
}

func (c *Containerd) crictl([]string, string) (string, error) {
	if err := c.up(); err != nil {
		return "", err
	}
	if !strings.Contains(c.config, "[plugins.") || strings.Contains(c.config, `"cri"`) {
		return "", &Exit{Code: 1, Stderr: "getting status of runtime: rpc error: code = Unimplemented desc = unknown service runtime.v1alpha2.RuntimeService"}
	}
	pause := "registry.k8s.io/pause:3.6"
	if _, rest, ok := strings.Cut(c.config, `sandbox_image = "`); ok {
		pause, _, _ = strings.Cut(rest, `"`)
	}
	systemd := strings.Contains(c.config, "SystemdCgroup = true")
	return fmt.Sprintf(`{"status": {}, "config": {"containerd": {"defaultRuntimeName": "runc", "runtimes": {"runc": {"options": {"SystemdCgroup": %v}}}}, "sandboxImage": %q}}`, systemd, pause), nil
}

func (c *Containerd) ctr(args []string, stdin string) (string, error) {
	if err := c.up(); err != nil {
		return "", err
	}
	args = args[slices.Index(args, "images"):]
	switch args[1] {
	case "ls":
		out := "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
		for name, id := range c.Images {
			out += fmt.Sprintf("%s application/vnd.oci.image.manifest.v1+json %s 314.9 KiB linux/amd64 -\n", name, id)
		}
		return out, nil
	case "tag":
		c.Images[args[4]] = c.Images[args[3]]
		return args[4], nil
	case "rm":
		for _, name := range args[2:] {
			if _, ok := c.Images[name]; !ok {
				return "", &Exit{Code: 1, Stderr: "ctr: image " + name + ": not found"}
			}
			delete(c.Images, name)
		}
		return "", nil
	case "import":
		return "", c.load(stdin)
	}
	return "", &Exit{Code: 3, Stderr: "No help topic for " + args[1]}
}

func (c *Containerd) load(stdin string) error {
	for r := tar.NewReader(strings.NewReader(stdin)); ; {
		head, err := r.Next()
		if err != nil {
			return nil // at the end
		}
		if head.Name != "index.json" {
			continue
		}
		var index struct {
			Manifests []struct {
				Digest      string
				Annotations map[string]string
			}
		}
		if err := json.NewDecoder(r).Decode(&index); err != nil {
			return err
		}
		for _, d := range index.Manifests {
			c.Images[d.Annotations["io.containerd.image.name"]] = d.Digest
			// As the CRI plugin does.
			c.Images["sha256:"+strings.TrimPrefix(d.Digest, "sha256:")[:60]+"conf"] = d.Digest
		}
	}
}
