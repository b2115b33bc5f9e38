package hosttest

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Docker is a double of dockerd and of its client. It is there when the machine
// has docker.service, answers while that is active, and reads its
// /etc/docker/daemon.json when that is started.
type Docker struct {
	Images   map[string]string // the ID that a name stands for
	Loose    map[string]bool   // IDs without a name
	InUse    map[string]bool   // IDs that a container was made of
	Running  int               // containers
	Full     bool              // its disk has no room for an image
	Restarts int

	m      *Machine
	driver string // of cgroups
}

// NewDocker gives m a docker. To have it installed, add docker.service to Units.
func NewDocker(m *Machine) *Docker {
	d := &Docker{Images: map[string]string{}, Loose: map[string]bool{}, InUse: map[string]bool{}, m: m, driver: "cgroupfs"}
	m.Programs["docker"] = d.run
	m.Programs["systemctl"] = d.systemctl
	return d
}

// State is all that can be changed of docker but its settings, as text.
func (d *Docker) State() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.Images)) {
		fmt.Fprintf(&b, "%s %s\n", name, d.Images[name])
	}
	for _, id := range slices.Sorted(maps.Keys(d.Loose)) {
		fmt.Fprintf(&b, "<none> %s\n", id)
	}
	return b.String()
}

const dockerUnit = "docker.service"

// systemctl starts dockerd with its unit.
func (d *Docker) systemctl(args []string, stdin string) (string, error) {
	u := d.m.Units[dockerUnit]
	verb := args[0]
	if u == nil || args[len(args)-1] != dockerUnit || (verb != "start" && verb != "restart") {
		return d.m.systemctl(args, stdin)
	}
	if verb == "start" && u.Active {
		return "", nil
	}
	driver, err := d.configured()
	if err != nil {
		u.Active = false
		return "", &Exit{Code: 1, Stderr: "Job for docker.service failed because the control process exited with error code."}
	}
	out, err := d.m.systemctl(args, stdin)
	if err == nil {
		d.driver = driver
		d.Restarts++
	}
	return out, err
}

// configured is the cgroup driver of the file.
func (d *Docker) configured() (string, error) {
	text, err := os.ReadFile(filepath.Join(d.m.root, "etc/docker/daemon.json"))
	if errors.Is(err, os.ErrNotExist) {
		return "cgroupfs", nil
	}
	if err != nil {
		return "", err
	}
	var config struct {
		ExecOpts []string `json:"exec-opts"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return "", err
	}
	for _, o := range config.ExecOpts {
		if driver, ok := strings.CutPrefix(o, "native.cgroupdriver="); ok {
			return driver, nil
		}
	}
	return "cgroupfs", nil
}

// run is the client.
func (d *Docker) run(args []string, stdin string) (string, error) {
	u := d.m.Units[dockerUnit]
	if u == nil {
		return "", notFound("docker")
	}
	if len(args) > 2 && args[0] == "-H" {
		args = args[2:]
	}
	if !u.Active {
		return "", &Exit{Code: 1, Stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"}
	}
	last := args[len(args)-1]
	switch line := strings.Join(args, " "); {
	case args[0] == "info" && strings.Contains(last, ".DockerRootDir"):
		return "/var/lib/docker\n", nil
	case args[0] == "info":
		return d.driver + "\n", nil
	case args[0] == "ps":
		return strings.Repeat("0123456789ab\n", d.Running), nil
	case strings.HasPrefix(line, "image ls"):
		return d.list(), nil
	case strings.HasPrefix(line, "image rm"):
		return d.remove(last)
	case args[0] == "tag":
		return "", d.tag(args[1], args[2])
	case args[0] == "load":
		return d.load(stdin)
	}
	return "", &Exit{Code: 1, Stderr: fmt.Sprintf("docker: %q is not a docker command.", args)}
}

// list is image ls --all --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'.
func (d *Docker) list() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.Images)) {
		fmt.Fprintf(&b, "%s %s\n", d.Images[name], name)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Loose)) {
		fmt.Fprintf(&b, "%s <none>:<none>\n", id)
	}
	return b.String()
}

func (d *Docker) names(id string) (n int) {
	for _, of := range d.Images {
		if of == id {
			n++
		}
	}
	return n
}

func (d *Docker) remove(what string) (string, error) {
	id, named := d.Images[what]
	if !named {
		id = what
	}
	names := d.names(id)
	switch {
	case names == 0 && !d.Loose[id]:
		return "", &Exit{Code: 1, Stderr: "Error: No such image: " + what}
	case !named && names > 0:
		return "", &Exit{Code: 1, Stderr: "Error response from daemon: conflict: unable to delete " + id + " (must be forced) - image is referenced in multiple repositories"}
	case d.InUse[id] && names <= 1:
		return "", &Exit{Code: 1, Stderr: "Error response from daemon: conflict: unable to remove repository reference \"" + what + "\" (must force) - container 0123456789ab is using its referenced image"}
	}
	delete(d.Images, what)
	delete(d.Loose, id)
	return "Untagged: " + what + "\n", nil
}

func (d *Docker) tag(id, name string) error {
	if d.names(id) == 0 && !d.Loose[id] {
		return &Exit{Code: 1, Stderr: "Error response from daemon: No such image: " + id}
	}
	if old, ok := d.Images[name]; ok && old != id && d.names(old) == 1 {
		d.Loose[old] = true
	}
	d.Images[name] = id
	delete(d.Loose, id)
	return nil
}

// load reads what docker save writes: all of it, before anything is kept.
func (d *Docker) load(stdin string) (string, error) {
	if d.Full {
		return "", &Exit{Code: 1, Stderr: "Error processing tar file(exit status 1): write /blobs/sha256/0123: no space left on device"}
	}
	var list []struct {
		Config   string
		RepoTags []string
	}
	for r := tar.NewReader(strings.NewReader(stdin)); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", &Exit{Code: 1, Stderr: "Error processing tar file(exit status 1): " + err.Error()}
		}
		if head.Name == "manifest.json" {
			if err := json.NewDecoder(r).Decode(&list); err != nil {
				return "", &Exit{Code: 1, Stderr: err.Error()}
			}
		}
	}
	var out strings.Builder
	for _, img := range list {
		id := "sha256:" + path.Base(img.Config)
		if d.names(id) == 0 {
			d.Loose[id] = true
		}
		for _, name := range img.RepoTags {
			if err := d.tag(id, name); err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "Loaded image: %s\n", name)
		}
	}
	return out.String(), nil
}
