package kubeadm

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// User is somebody who gets a kubeconfig; the home is looked up on the host.
type User struct {
	Name     string // for messages
	UID, GID int
}

// Kubeconfig is the step that gives root, and those users who are not root, the
// administrator's kubeconfig as ~/.kube/config. One that is there already stays
// as it is.
func Kubeconfig(users ...User) step.Step {
	list := []User{{Name: "root"}}
	for _, u := range users {
		if u.UID != 0 {
			list = append(list, u)
		}
	}
	return kubeconfigStep{list}
}

type kubeconfigStep struct{ users []User }

func (kubeconfigStep) Name() string { return "kubeconfig" }

// place is where a user's kubeconfig goes, and what is to be done there.
type place struct {
	user      User
	dir, file string
	makeDir   bool
	write     bool
	own       bool // the file is ours, but not yet the user's
	warning   string
}

const (
	passwdFile = "/etc/passwd"
	kubeDir    = ".kube"
)

// homeOf reads a user's home in passwd(5), "" where it is not there.
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
			list = append(list, place{user: u, warning: fmt.Sprintf("%s has no home directory by %s: sudo kubectl --kubeconfig %s get nodes", u.Name, passwdFile, AdminConf)})
			continue
		}
		p := place{user: u, dir: path.Join(home, kubeDir), file: path.Join(home, kubeDir, "config")}
		if err := p.look(h, admin); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// look compares what is there with the administrator's kubeconfig.
func (p *place) look(h *host.Host, admin string) error {
	dir, err := h.Exists(p.dir)
	if err != nil {
		return err
	}
	p.makeDir = !dir
	now, err := h.Original(p.file)
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
	mine, _ := readKubeconfig(admin)
	theirs, _ := readKubeconfig(text)
	switch {
	case text == admin:
		p.own = now.Link == "" && now.UID != p.user.UID
	case mine.caHash != theirs.caHash:
		use := "export KUBECONFIG=" + AdminConf
		if p.user.UID != 0 {
			use = "sudo kubectl --kubeconfig " + AdminConf + " get nodes"
		}
		p.warning = fmt.Sprintf("%s is of another cluster (%s) and stays as it is; for this one: %s", p.file, theirs.server, use)
	}
	return nil
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
		if p.write {
			if err := h.Obstacle(p.file, false); err != nil {
				return step.Cannot(hint.Of(err), "%v", err), nil
			}
		}
		switch {
		case p.write:
			st.Todo("%s is a copy of %s, of %s alone", p.file, AdminConf, p.user.Name)
		case p.own:
			st.Todo("%s belongs to %s", p.file, p.user.Name)
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
			return fmt.Errorf("cannot give %s a kubeconfig: %w", p.user.Name, err)
		}
	}
	return nil
}

func (p *place) apply(ctx context.Context, h *host.Host, admin string) error {
	owner := fmt.Sprintf("%d:%d", p.user.UID, p.user.GID)
	if p.makeDir && p.write {
		// Where somebody put something into it, it stays.
		undo := []string{"find", path.Dir(p.dir), "-maxdepth", "1", "-name", kubeDir, "-type", "d", "-empty", "-delete"}
		dir := host.Command("install", "-d", "-m", "0750", "-o", strconv.Itoa(p.user.UID), "-g", strconv.Itoa(p.user.GID), p.dir)
		if err := h.Do(ctx, dir, undo); err != nil {
			return err
		}
		// What kubectl learned of this cluster, in a directory that is new.
		if err := h.Undoing("rm", "-rf", path.Join(p.dir, "cache"), path.Join(p.dir, "http-cache")); err != nil {
			return err
		}
	}
	if p.write {
		if err := h.WriteFile(p.file, []byte(admin), secretMode); err != nil {
			return err
		}
	}
	if p.own || p.write && p.user.UID != os.Geteuid() {
		return h.Do(ctx, host.Command("chown", owner, p.file), nil)
	}
	return nil
}
