package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// User is a user who gets a kubeconfig; the home is looked up on the host.
type User struct {
	Name     string // for messages
	UID, GID int
}

// Kubeconfig is the step that gives root, and those users who are not root, the
// administrator's kubeconfig as ~/.kube/config. An existing one is kept.
func Kubeconfig(users ...User) step.Step {
	list := []User{{Name: "root"}}
	for _, u := range users {
		if u.UID != 0 {
			list = append(list, u)
		}
	}
	return kubeconfigStep{users: list}
}

type kubeconfigStep struct {
	users  []User
	report progress.Func
}

func (kubeconfigStep) Name() string { return "kubeconfig" }

// place is where a user's kubeconfig goes, and what has to be done there. Root's is
// written like any file of the host; another user may replace files in the home at
// any moment, so theirs is written only through home, following no links.
type place struct {
	user      User
	home      string
	dir, file string
	makeDir   bool
	write     bool
	own       bool // the file is ours, but not yet the user's
	warning   string
	obstacle  error // why it cannot be written, with a hint
}

func (p *place) isRoot() bool { return p.user.UID == 0 }

const (
	passwdFile = "/etc/passwd"
	kubeDir    = ".kube"
	kubeFile   = kubeDir + "/config"
)

// homeOf reads a user's home in passwd(5), "" if it has none.
func homeOf(passwd string, uid int) string {
	const uidField, homeField = 2, 5
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) > homeField && f[uidField] == strconv.Itoa(uid) && path.IsAbs(f[homeField]) {
			return path.Clean(f[homeField])
		}
	}
	return ""
}

// places looks at every user's home.
func (s kubeconfigStep) places(h *host.Host, admin string) ([]place, error) {
	passwd, err := h.Text(passwdFile)
	if err != nil {
		return nil, err
	}
	var list []place
	for _, u := range s.users {
		home := homeOf(passwd, u.UID)
		if home == "" && u.UID == 0 {
			home = "/root"
		}
		there, err := h.Exists(home)
		if err != nil {
			return nil, err
		}
		if home == "" || !there {
			list = append(list, place{user: u, warning: fmt.Sprintf("%s has no home directory in %s: sudo kubectl --kubeconfig %s get nodes", u.Name, passwdFile, AdminConf)})
			continue
		}
		p := place{user: u, home: home, dir: path.Join(home, kubeDir), file: path.Join(home, kubeDir, "config")}
		if !p.isRoot() {
			p.lookFor(h, admin)
		} else if err := p.look(h, admin); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// look compares what root has with the administrator's kubeconfig.
func (p *place) look(h *host.Host, admin string) error {
	if there, err := h.Exists(p.file); err != nil || !there {
		if p.obstacle = h.Obstacle(p.file, false); p.obstacle != nil {
			return nil
		}
	}
	dir, err := h.Exists(p.dir)
	if err != nil {
		return err
	}
	p.makeDir = !dir
	now, err := h.FileState(p.file)
	if err != nil {
		return err
	}
	if now.Absent {
		p.write = true
		return nil
	}
	text, err := h.Text(p.file) // behind a link, if it is one
	if err != nil {
		return err
	}
	p.own = text == admin && now.Link == "" && now.UID != p.user.UID
	p.compare(text, admin)
	return nil
}

// maxKubeconfig is the largest kubeconfig of a user that is read, in bytes.
const maxKubeconfig = 1 << 20

// lookFor compares what another user has with the administrator's kubeconfig.
// Links are not followed, and files in the way are kept.
func (p *place) lookFor(h *host.Host, admin string) {
	home := media.At(h.Path(p.home))
	text, err := home.ReadFile(kubeFile, maxKubeconfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.write = true
		_, err := home.List(kubeDir, 0, func(string) bool { return false })
		p.makeDir = errors.Is(err, fs.ErrNotExist)
		return
	case err != nil:
		p.warning = fmt.Sprintf("%s gets no kubeconfig: %v; %s", p.user.Name, err, p.instead())
		return
	}
	if info, err := home.Stat(kubeFile); err == nil && string(text) == admin {
		stat, ok := info.Sys().(*syscall.Stat_t)
		p.own = ok && int(stat.Uid) != p.user.UID
	}
	p.compare(string(text), admin)
}

// compare warns of a kubeconfig of another cluster.
func (p *place) compare(text, admin string) {
	mine, _ := readKubeconfig(admin)
	theirs, _ := readKubeconfig(text)
	if text != admin && mine.caHash != theirs.caHash {
		p.warning = fmt.Sprintf("%s belongs to another cluster (%s) and is kept; for this one: %s", p.file, theirs.server, p.instead())
	}
}

// instead is how the user reaches the cluster without a kubeconfig.
func (p *place) instead() string {
	if p.isRoot() {
		return "export KUBECONFIG=" + AdminConf
	}
	return "sudo kubectl --kubeconfig " + AdminConf + " get nodes"
}

func (s kubeconfigStep) Check(_ context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	admin, err := h.Text(AdminConf)
	if err != nil {
		return st, err
	}
	places, err := s.places(h, admin)
	if err != nil {
		return st, err
	}
	for _, p := range places {
		switch {
		case p.obstacle != nil:
			return step.Cannot(hint.Of(p.obstacle), "%v", p.obstacle), nil
		case p.write:
			st.Todo("write %s, a copy of %s for %s alone", p.file, AdminConf, p.user.Name)
		case p.own:
			st.Todo("change the owner of %s to %s", p.file, p.user.Name)
		case p.warning != "":
			st.Warn("%s", p.warning)
		}
	}
	return st, nil
}

func (s kubeconfigStep) Apply(ctx context.Context, h *host.Host) error {
	admin, err := h.Text(AdminConf)
	if err != nil {
		return err
	}
	if admin == "" {
		return fmt.Errorf("cannot copy %s: it is missing", AdminConf)
	}
	places, err := s.places(h, admin)
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := p.apply(ctx, h, admin); err != nil {
			return fmt.Errorf("cannot write a kubeconfig for %s: %w", p.user.Name, err)
		}
	}
	return nil
}

func (p *place) apply(ctx context.Context, h *host.Host, admin string) error {
	switch {
	case p.obstacle != nil:
		return p.obstacle
	case !p.write && !p.own:
		return nil
	case !p.isRoot():
		return p.give(h, admin)
	}
	if p.makeDir {
		// A directory that is not empty by then is kept.
		undo := []string{"find", path.Dir(p.dir), "-maxdepth", "1", "-name", kubeDir, "-type", "d", "-empty", "-delete"}
		dir := host.Command("install", "-d", "-m", "0750", "-o", "0", "-g", "0", p.dir)
		if err := h.Change(ctx, dir, undo); err != nil {
			return err
		}
		// kubectl's caches of this cluster, in a directory that is new.
		if err := h.RecordUndo("rm", "-rf", path.Join(p.dir, "cache"), path.Join(p.dir, "http-cache")); err != nil {
			return err
		}
	}
	if p.write {
		return h.WriteFile(p.file, []byte(admin), secretMode)
	}
	return h.Change(ctx, host.Command("chown", "0:0", p.file), nil)
}
