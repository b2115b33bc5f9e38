package cri_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software/softwaretest"
	"kubecrate/pkg/step"
)

// TestResetKilled ends a reset before every call: the next reset leads back.
func TestResetKilled(t *testing.T) {
	t.Parallel()
	for name, makeSite := range sites() {
		for at := 0; ; at++ {
			s := makeSite(t, true)
			fsys, images := bundle(t, pause, nginx)
			rt := runtime(t, strings.Fields(name)[0])
			steps := append(rt.Steps(cri.Options{Pause: pause}), cri.Images(rt, fsys, images, nil))
			before := s.whole(t)
			if err := apply(t, s.h, steps); err != nil {
				t.Fatal(err)
			}
			calls := 0
			s.m.OnCall = func(string) error {
				if calls++; calls > at {
					return errKilled
				}
				return nil
			}
			err := step.Reset(t.Context(), s.h, journal(t, s.h), cri.All().Kinds(nil), func(step.Event) {})
			s.m.OnCall = nil
			reset(t, s.h, steps)
			if s.whole(t) != before {
				t.Errorf("%s: reset killed at %d, then reset again:\n%s\nwant\n%s", name, at, s.whole(t), before)
			}
			if err == nil {
				break
			}
		}
	}
}

// TestSteps: what the runtimes' steps find on hosts of all sorts.
func TestSteps(t *testing.T) {
	t.Parallel()
	const xfs = "22 1 253:0 / / rw - xfs /dev/sda2 rw\n"
	ftype := func(n string) hosttest.Program {
		return func(args []string, _ string) (string, error) {
			return "naming   =version 2              bsize=4096   ascii-ci=0 ftype=" + n + " # " + args[0] + "\n", nil
		}
	}
	installed := func(unit string, active bool) func(*testing.T, *hosttest.Machine) {
		return func(_ *testing.T, m *hosttest.Machine) {
			m.Units[unit] = &hosttest.Unit{Active: active, Enabled: active}
		}
	}
	with := func(more func(*testing.T, *hosttest.Machine), files ...string) func(*testing.T, *hosttest.Machine) {
		return func(t *testing.T, m *hosttest.Machine) {
			more(t, m)
			m.Write(t, files...)
		}
	}
	const unitFile, dropIn = "/usr/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service.d/10.conf"
	docker, dockerRuns := installed("docker.service", false), installed("docker.service", true)
	tune := func(more func(*testing.T, *hosttest.Machine), program string, p hosttest.Program, files ...string) func(*testing.T, *hosttest.Machine) {
		return func(t *testing.T, m *hosttest.Machine) {
			more(t, m)
			m.Programs[program] = p
			m.Write(t, files...)
		}
	}
	for _, c := range []struct {
		name, runtime string
		host          func(*testing.T, *hosttest.Machine)
		state         step.State
		says          string
	}{
		{"not installed", "docker", func(*testing.T, *hosttest.Machine) {}, step.ToDo, "once its package is installed"},
		{"installed", "docker", docker, step.ToDo, "start docker.service and enable it at boot"},
		{"runs with another driver", "docker", dockerRuns, step.ToDo, "its cgroup driver is cgroupfs"},
		{"runs, the file was changed without a restart", "docker", with(dockerRuns, "/etc/docker/daemon.json", `{"exec-opts": ["native.cgroupdriver=systemd"]}`), step.ToDo, "its cgroup driver is cgroupfs"},
		{"no JSON", "docker", with(docker, "/etc/docker/daemon.json", "{\n  \"debug\": true,\n}\n"), step.Impossible, "vi +3 /etc/docker/daemon.json"},
		{"the driver by a flag", "docker", with(docker, unitFile, "[Service]\nExecStart=/usr/bin/dockerd\n", dropIn, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --exec-opt native.cgroupdriver=systemd\n"), step.ToDo, "start docker.service and enable it at boot"},
		{"another driver by a flag", "docker", with(docker, unitFile, "[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nExecStart=/usr/bin/dockerd $OPTIONS\n", "/etc/sysconfig/docker", "OPTIONS='--exec-opt=native.cgroupdriver=cgroupfs'\n"), step.Impossible, "vi /etc/sysconfig/docker, remove --exec-opt native.cgroupdriver=cgroupfs"},
		{"an option by a flag", "docker", with(docker, unitFile, "[Service]\nExecStart=/usr/bin/dockerd --exec-opt native.umask=normal\n"), step.Impossible, "does not start with exec-opts both in /etc/docker/daemon.json and as --exec-opt"},
		{"hosts twice", "docker", with(docker, unitFile, "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n", "/etc/docker/daemon.json", `{"hosts": ["tcp://0.0.0.0:2375"]}`), step.Impossible, "does not start with hosts both in"},
		{"only over TCP", "docker", with(docker, "/etc/docker/daemon.json", `{"hosts": ["tcp://0.0.0.0:2375"]}`), step.Impossible, "the kubelet connects to unix:///var/run/docker.sock"},
		{"as docker-ce 18.09 starts it", "docker", with(docker, unitFile, "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n"), step.ToDo, "start docker.service"},
		{"its file elsewhere", "docker", with(docker, unitFile, "[Service]\nExecStart=/usr/bin/dockerd --config-file /opt/docker.json\n", "/opt/docker.json", "{"), step.Impossible, "vi +1 /opt/docker.json"},
		{"ftype=0", "docker", tune(docker, "xfs_info", ftype("0"), "/proc/self/mountinfo", xfs), step.Impossible, "the XFS at /, which was created with ftype=0"},
		{"ftype=0, another driver chosen", "docker", tune(docker, "xfs_info", ftype("0"), "/proc/self/mountinfo", xfs, "/etc/docker/daemon.json", `{"storage-driver": "devicemapper"}`), step.ToDo, "start docker.service"},
		{"ftype=0, its data elsewhere", "docker", tune(docker, "xfs_info", ftype("0"), "/proc/self/mountinfo", xfs+"23 22 8:1 / /data rw - ext4 /dev/sdb1 rw\n", "/data/x", "", "/etc/docker/daemon.json", `{"data-root": "/data/docker"}`), step.ToDo, "start docker.service"},
		{"ftype=1", "docker", tune(docker, "xfs_info", ftype("1"), "/proc/self/mountinfo", xfs), step.ToDo, "start docker.service"},
		{"no xfs_info", "docker", with(docker, "/proc/self/mountinfo", xfs), step.ToDo, "start docker.service"},
		{"not installed", "containerd", func(*testing.T, *hosttest.Machine) {}, step.ToDo, "once its package is installed"},
		{"installed", "containerd", installed("containerd.service", false), step.ToDo, "start containerd.service and enable it at boot"},
		{"runs without CRI", "containerd", with(installed("containerd.service", true), "/etc/containerd/config.toml", "disabled_plugins = [\"cri\"]\n"), step.ToDo, "its CRI does not respond"},
		{"version 1", "containerd", with(installed("containerd.service", false), "/etc/containerd/config.toml", "[plugins.cri]\n"), step.Impossible, "mv /etc/containerd/config.toml /etc/containerd/config.toml.mine"},
		{"ftype=0", "containerd", tune(installed("containerd.service", false), "xfs_info", ftype("0"), "/proc/self/mountinfo", xfs), step.Impossible, "was created with ftype=0"},
	} {
		h, m := hosttest.New(t)
		if c.runtime == "docker" {
			hosttest.NewDocker(m)
		} else {
			hosttest.NewContainerd(m)
		}
		c.host(t, m)
		before := m.State(t)
		st := check(t, h, runtime(t, c.runtime).Steps(cri.Options{Pause: pause})[0])
		if st.State != c.state || !strings.Contains(text(st), c.says) || (st.State == step.Impossible) != (st.Hint != "") {
			t.Errorf("%s %s is %s:\n%s\nwant %s, %s", c.runtime, c.name, st.State, text(st), c.state, c.says)
		}
		if m.State(t) != before {
			t.Errorf("%s %s: a check changed something", c.runtime, c.name)
		}
	}
	st := check(t, &host.Host{Root: t.TempDir()}, runtime(t, "containerd").Steps(cri.Options{})[0])
	if st.State != step.Impossible || !strings.Contains(text(st), "no pause image") {
		t.Errorf("without a pause image: %+v", st)
	}
}

// TestRunningContainers: nobody's containers stop without a word.
func TestRunningContainers(t *testing.T) {
	t.Parallel()
	s := sites()["docker"](t, true)
	d := hosttest.NewDocker(s.m)
	d.Running = 3
	docker := runtime(t, "docker").Steps(cri.Options{})
	if st := check(t, s.h, docker[0]); !strings.Contains(text(st), "stops 3 running containers") || len(st.Diffs) != 1 {
		t.Errorf("%+v", st)
	}
	if err := apply(t, s.h, docker); err != nil || d.Restarts != 1 {
		t.Errorf("%v, %d restarts", err, d.Restarts)
	}
	if err := apply(t, s.h, docker); err != nil || d.Restarts != 1 {
		t.Errorf("again: %v, %d restarts", err, d.Restarts)
	}
	reset(t, s.h, docker)
	if !s.m.Units["docker.service"].Active || d.Restarts != 2 {
		t.Errorf("after reset: %+v, %d restarts", s.m.Units["docker.service"], d.Restarts)
	}
}

// TestFailedStart: what docker itself said is in the message.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	s := sites()["docker"](t, false)
	inner := s.m.Builtin("systemctl")
	s.m.Programs["systemctl"] = func(args []string, stdin string) (string, error) {
		if args[0] == "start" {
			return "", &hosttest.Exit{Code: 1, Stderr: "Job for docker.service failed."}
		}
		return inner(args, stdin)
	}
	s.m.Programs["journalctl"] = func([]string, string) (string, error) { return "dockerd: no sockets found\n", nil }
	err := apply(t, s.h, runtime(t, "docker").Steps(cri.Options{}))
	if err == nil || !strings.Contains(err.Error(), "cannot start docker.service") || !strings.Contains(err.Error(), "no sockets found") || !strings.Contains(hint.Of(err), "journalctl --unit=docker.service") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

// TestNoAnswer: a docker that is being started, by a run that was killed, or
// that fails again and again, is no reason to give up.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := sites()["docker"](t, true)
	d := hosttest.NewDocker(s.m)
	inner := s.m.Programs["docker"]
	s.m.Programs["docker"] = func(args []string, stdin string) (string, error) {
		if d.Restarts == 0 {
			return "", &hosttest.Exit{Code: 1, Stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"}
		}
		return inner(args, stdin)
	}
	docker := runtime(t, "docker").Steps(cri.Options{})
	if st := check(t, s.h, docker[0]); !strings.Contains(text(st), "it does not respond") {
		t.Errorf("%+v", st)
	}
	if err := apply(t, s.h, docker); err != nil || d.Restarts != 1 {
		t.Errorf("%v, %d restarts", err, d.Restarts)
	}
}

// dockerSite is a host with a docker that runs, and its step of images.
func dockerSite(t *testing.T, names ...string) (*host.Host, *hosttest.Machine, *hosttest.Docker, step.Step, []manifest.LockedImage) {
	t.Helper()
	h, m := hosttest.New(t)
	d := hosttest.NewDocker(m)
	m.Units["docker.service"] = &hosttest.Unit{Active: true, Enabled: true}
	fsys, images := bundle(t, names...)
	return h, m, d, cri.Images(runtime(t, "docker"), fsys, images, nil), images
}

func TestImagesUnavailable(t *testing.T) {
	t.Parallel()
	h, m, _, s, _ := dockerSite(t, pause, nginx)
	m.Units["docker.service"].Active = false
	if st := check(t, h, s); st.State != step.Later || !strings.Contains(text(st), "up to 2 images") {
		t.Errorf("docker does not run: %+v", st)
	}
	if err := apply(t, h, []step.Step{s}); !errors.Is(err, cri.ErrUnavailable) || hint.Of(err) != "systemctl start docker" {
		t.Errorf("docker does not run: %v (hint %q)", err, hint.Of(err))
	}
	delete(m.Units, "docker.service")
	h.Software = softwaretest.Hints{}
	if st := check(t, h, s); st.State != step.Later {
		t.Errorf("docker is not installed: %+v", st)
	}
	if err := apply(t, h, []step.Step{s}); !errors.Is(err, cri.ErrUnavailable) || !strings.Contains(hint.Of(err), "bring docker") {
		t.Errorf("docker is not installed: %v (hint %q)", err, hint.Of(err))
	}
	reset(t, h, []step.Step{s})
	// What was loaded is taken out by the reset that finds docker.
	m.Units["docker.service"] = &hosttest.Unit{Active: true}
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	d := hosttest.NewDocker(m)
	before := d.State()
	m.Units["docker.service"].Active = false
	var kept []string
	warned := func(e progress.Event) { kept = append(kept, e.Text) }
	if err := step.Reset(t.Context(), h, journal(t, h), cri.All().Kinds(warned), func(step.Event) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"docker does not respond: 2 loaded images remain in /var/lib/docker"}; !slices.Equal(kept, want) {
		t.Errorf("what docker keeps: %q, want %q", kept, want)
	}
	m.Units["docker.service"].Active = true
	reset(t, h, []step.Step{s})
	if d.State() != before || m.Read(t, "/var/lib/kubecrate/images.json") != "" {
		t.Errorf("left:\n%s", d.State())
	}
}

func TestImagesUndo(t *testing.T) {
	t.Parallel()
	const flannel = "quay.io/coreos/flannel:v0.14.0"
	h, m, d, s, images := dockerSite(t, pause, nginx, flannel)
	d.Images["mine:1"] = images[0].Config.Digest // the pause image under another name
	d.Loose[images[2].Config.Digest] = true      // flannel without a name
	d.Images[nginx] = digest([]byte("old nginx"))
	if st := check(t, h, s); !strings.Contains(text(st), "load image nginx:1.14-alpine; its name now refers to "+digest([]byte("old nginx"))) || len(st.What) != 3 {
		t.Errorf("%+v", st)
	}
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	// Meanwhile somebody made a container of what was loaded.
	d.InUse[images[1].Config.Digest] = true
	reset(t, h, []step.Step{s})
	want := fmt.Sprintf("mine:1 %s\nnginx:1.14-alpine %s\nquay.io/coreos/flannel:v0.14.0 %s\n<none> %s\n",
		images[0].Config.Digest, digest([]byte("old nginx")), images[2].Config.Digest, images[1].Config.Digest)
	// The only name of an image that was there stays: docker takes the image with it.
	if !strings.HasPrefix(d.State(), want[:strings.Index(want, "<none>")]) {
		t.Errorf("after reset:\n%s\nwant\n%s", d.State(), want)
	}
	// A name that somebody gave to another image is his.
	delete(d.Images, flannel)
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	d.Images[pause] = digest([]byte("his"))
	reset(t, h, []step.Step{s})
	if d.Images[pause] != digest([]byte("his")) {
		t.Errorf("after reset:\n%s", d.State())
	}
	// What had the name is gone: said once.
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	clear(d.Loose)
	err := step.Reset(t.Context(), h, journal(t, h), cri.All().Kinds(nil), func(step.Event) {})
	if err == nil || !strings.Contains(err.Error(), "no longer exists") {
		t.Errorf("what had the name is gone: %v", err)
	}
	reset(t, h, []step.Step{s})
	_ = m
}

func TestImagesFull(t *testing.T) {
	t.Parallel()
	h, _, d, s, _ := dockerSite(t, pause, nginx)
	d.Full = true
	err := apply(t, h, []step.Step{s})
	if err == nil || !strings.Contains(err.Error(), "/var/lib/docker is full") || !strings.Contains(err.Error(), "cannot load 2 images, 3") || !strings.Contains(hint.Of(err), "docker system df") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	d.Full = false
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Error(err)
	}
}

// TestImagesKnown: an image that was pulled from a registry is the same one,
// and one without a tag is known by its ID.
func TestImagesKnown(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	c := hosttest.NewContainerd(m)
	m.Units["containerd.service"] = &hosttest.Unit{Active: true}
	fsys, images := bundle(t, pause, nginx)
	c.Images["docker.io/library/"+nginx] = images[1].Digest
	s := cri.Images(runtime(t, "containerd"), fsys, images, nil)
	if st := check(t, h, s); len(st.What) != 1 || !strings.Contains(text(st), pause) {
		t.Errorf("one of two was pulled: %+v", st)
	}
	pinned := "k8s.gcr.io/pinned@" + digest([]byte("pinned"))
	h, _, d, s, images := dockerSite(t, pinned)
	if err := apply(t, h, []step.Step{s}); err != nil || !d.Loose[images[0].Config.Digest] {
		t.Errorf("without a tag: %v\n%s", err, d.State())
	}
	reset(t, h, []step.Step{s})
	if d.State() != "" {
		t.Errorf("after reset: %s", d.State())
	}
}

// TestProgress: the bytes that are reported add up to what was promised.
func TestProgress(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	hosttest.NewDocker(m)
	m.Units["docker.service"] = &hosttest.Unit{Active: true}
	fsys, images := bundle(t, pause, nginx)
	var kinds []string
	var total, done int64
	s := cri.Images(runtime(t, "docker"), fsys, images, func(e progress.Event) {
		kinds = append(kinds, string(e.Kind))
		total, done = max(total, e.Total), max(done, e.Bytes)
	})
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kinds, " "); got != "start note done" || total != done || total < 300_000 {
		t.Errorf("%s, %d of %d bytes", got, done, total)
	}
}
