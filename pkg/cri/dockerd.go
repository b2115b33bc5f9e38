package cri

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

const daemonJSON = "/etc/docker/daemon.json"

// dockerStep is the step that sets docker's cgroup driver to systemd, as the
// kubelet's, and starts docker. The operator's settings stay; docker is restarted
// only if it runs with another driver or its file changes.
type dockerStep struct{}

// dockerPlan is the planned changes.
type dockerPlan struct {
	host.Service
	now    host.Unit
	driver string // cgroup driver, or noAnswer; "" if docker is not running
}

// Name is step.Step's.
func (dockerStep) Name() string { return "docker" }

// Check is step.Step's.
func (s dockerStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
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
		st.Todo("start docker.service and enable it at boot, once its package is installed")
		return st, nil
	case p.driver == noAnswer:
		st.Todo("restart docker: it does not respond")
		return st, nil
	case p.Restarts(p.now) && p.driver != "systemd":
		st.Todo("restart docker: its cgroup driver is %s, the kubelet's is systemd", p.driver)
	case p.Restarts(p.now):
		st.Todo("restart docker")
	case !p.now.Active || !p.now.Starts():
		st.Todo("start docker.service and enable it at boot")
	}
	if p.Restarts(p.now) {
		out, err := h.Run(ctx, dockerCmd("ps", "--quiet"))
		if err != nil {
			return st, err
		}
		if n := len(strings.Fields(string(out))); n > 0 {
			st.Warn("the restart of docker stops %d running containers; those with a restart policy start again", n)
		}
	}
	return st, nil
}

// Apply is step.Step's.
func (s dockerStep) Apply(ctx context.Context, h *host.Host) error {
	p, err := s.plan(ctx, h)
	if err != nil {
		return err
	}
	if !p.now.Known() {
		return software.Missing(h, errors.New("docker is not installed"), "docker")
	}
	made, err := h.Exists(dockerKey)
	if err != nil {
		return err
	}
	if !made {
		if err := h.RecordUndo("rm", "-f", dockerKey); err != nil {
			return err
		}
	}
	return p.Service.Apply(ctx, h)
}

// dockerKey is the key that dockerd creates at its first start, for an obsolete
// trust mechanism.
const dockerKey = "/etc/docker/key.json"

// cannot is why a step is impossible.
type cannot struct{ hint, says string }

func (e *cannot) Error() string { return e.says }

func cannotf(fix, format string, args ...any) error {
	return &cannot{fix, fmt.Sprintf(format, args...)}
}

// plan determines the changes. It returns *cannot if docker cannot be configured.
func (s dockerStep) plan(ctx context.Context, h *host.Host) (p dockerPlan, err error) {
	p.Service = host.Service{Unit: dockerUnit, With: docker{}.About().With}
	line, err := execStart(h, dockerUnit)
	if err != nil {
		return p, err
	}
	given := flags(line, dockerShort())
	path := daemonJSON
	if f, ok := flagOf(given, "config-file"); ok {
		path = f.value
	}
	before, err := h.Text(path)
	if err != nil {
		return p, err
	}
	after := before
	if f, ok := driverFlag(given); !ok {
		if after, err = withSystemd(before, given); err != nil {
			return p, named(path, err)
		}
	} else if driver, _ := driverOf(f.value); driver != "systemd" {
		return p, cannotf(takeOut(f), "docker is started with --exec-opt %s, and the kubelet needs the cgroup driver systemd", f.value)
	}
	if err := conflicts(path, after, given); err != nil {
		return p, err
	}
	p.Files = []host.ServiceFile{{Path: path, Before: before, After: after}}
	if p.now, err = h.Unit(ctx, dockerUnit); err != nil {
		return p, err
	}
	if p.now.Active {
		if p.driver, err = s.driver(ctx, h); err == nil {
			p.Stale = p.driver != "systemd"
		}
		return p, err
	}
	return p, s.room(ctx, h, after, given)
}

// driver returns docker's cgroup driver, or noAnswer if docker is starting or fails
// repeatedly.
func (dockerStep) driver(ctx context.Context, h *host.Host) (string, error) {
	out, err := h.Run(ctx, dockerCmd("info", "--format", "{{.CgroupDriver}}"))
	driver := strings.TrimSpace(string(out))
	switch {
	case host.NotFound(err):
		return "", dockerUnavailable(h, err)
	case errors.Is(dockerUnavailable(h, err), ErrUnavailable), err == nil && driver == "":
		return noAnswer, nil
	case err != nil:
		return "", hint.With(fmt.Errorf("cannot query the running docker: %w", err), "journalctl --unit=%s --lines=50 --no-pager", dockerUnit)
	}
	return driver, nil
}

const noAnswer = "no answer"

// named adds the path to a *badFile, and makes it *cannot.
func named(path string, err error) error {
	var bad *badFile
	if !errors.As(err, &bad) {
		return err
	}
	bad.path = path
	return cannotf(bad.hint(), "cannot change %s: %s", path, bad.says)
}

// dockerShort maps dockerd's one-letter options to their long names.
func dockerShort() map[string]string {
	return map[string]string{"H": "host", "s": "storage-driver", "g": "graph", "b": "bridge", "G": "group", "p": "pidfile", "D": "debug", "l": "log-level"}
}

func flagOf(given []flag, name string) (flag, bool) {
	i := slices.IndexFunc(given, func(f flag) bool { return f.name == name })
	if i < 0 {
		return flag{}, false
	}
	return given[i], true
}

// driverFlag returns the option that sets the cgroup driver.
func driverFlag(given []flag) (flag, bool) {
	i := slices.IndexFunc(given, func(f flag) bool {
		_, ok := driverOf(f.value)
		return f.name == "exec-opt" && ok
	})
	if i < 0 {
		return flag{}, false
	}
	return given[i], true
}

func takeOut(f flag) string {
	return fmt.Sprintf("vi %s, remove --%s %s (set it in %s instead), then systemctl daemon-reload", f.file, f.name, f.value, daemonJSON)
}

// conflicts returns an error if dockerd would not start with that file, because a
// setting is both in the file and a flag, or if the kubelet would not find it,
// because hosts lacks docker's usual socket.
func conflicts(path, text string, given []flag) error {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	o, err := parseObject(text)
	if err != nil {
		return named(path, err)
	}
	for _, f := range given {
		for _, m := range o.members {
			if m.key == f.name || m.key == f.name+"s" || strings.HasSuffix(f.name, "y") && m.key == strings.TrimSuffix(f.name, "y")+"ies" {
				return cannotf(takeOut(f), "dockerd does not start with %s both in %s and as --%s %s in %s", m.key, path, f.name, f.value, f.file)
			}
		}
	}
	var hosts []string
	if err := o.get("hosts", &hosts); err != nil {
		return named(path, err)
	}
	for _, f := range given {
		if f.name == "host" {
			hosts = append(hosts, f.value)
			path = f.file
		}
	}
	usual := func(s string) bool {
		return strings.HasPrefix(s, "fd:") || s == "unix://" || s == dockerHost || s == "unix:///run/docker.sock"
	}
	if len(hosts) > 0 && !slices.ContainsFunc(hosts, usual) {
		return cannotf(fmt.Sprintf("vi %s, and add %s to its hosts", path, dockerHost),
			"docker listens only at %s, and the kubelet connects to %s", strings.Join(hosts, ", "), dockerHost)
	}
	return nil
}

// room returns an error if overlay does not work in docker's data directory, unless
// another storage driver is configured. docker does not report it: it falls back to
// devicemapper on a sparse file, or does not start.
func (dockerStep) room(ctx context.Context, h *host.Host, text string, given []flag) error {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	o, err := parseObject(text)
	if err != nil {
		return err
	}
	chosen := map[string]string{"data-root": dockerRoot}
	for _, key := range []string{"storage-driver", "graph", "data-root"} {
		value := ""
		if f, ok := flagOf(given, key); ok {
			value = f.value
		}
		if err := o.get(key, &value); err != nil {
			return named(daemonJSON, err)
		}
		if value != "" {
			chosen[strings.Replace(key, "graph", "data-root", 1)] = value
		}
	}
	if d := chosen["storage-driver"]; d != "" && !strings.HasPrefix(d, "overlay") {
		return nil
	}
	mount, bad, err := noTypes(ctx, h, chosen["data-root"])
	if err != nil || !bad {
		return err
	}
	return cannotf(fmt.Sprintf("mkfs.xfs -n ftype=1 DEVICE on a spare disk or volume, and mount it at %s (also in /etc/fstab)", chosen["data-root"]),
		"docker cannot store images in %s: overlay2 does not work on the XFS at %s, which was created with ftype=0, the default of older releases", chosen["data-root"], mount)
}
