package kubeadm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// givenFile lists the users who were given a kubeconfig. The journal undoes a change
// by its path, which in a user's home may point elsewhere at reset.
const givenFile = step.Dir + "/kubeconfigs.json"

// given is a kubeconfig that a user was given.
type given struct {
	Home    string `json:"home"`
	SHA256  string `json:"sha256"`
	MadeDir bool   `json:"madeDir"` // ~/.kube was made for it
}

// give writes the kubeconfig of a user who is not root. What a reset has to remove
// is recorded before.
func (p *place) give(h *host.Host, admin string) error {
	list, err := readGiven(h)
	if err != nil {
		return err
	}
	g := given{p.home, hashOf([]byte(admin)), p.makeDir}
	i := slices.IndexFunc(list, func(o given) bool { return o.Home == g.Home })
	if i >= 0 {
		g.MadeDir = g.MadeDir || list[i].MadeDir
		list[i] = g
	} else {
		list = append(list, g)
	}
	if err := h.State().WriteJSON(givenFile, list); err != nil {
		return err
	}
	return media.At(h.Path(p.home)).WriteFor(media.Owner{UID: p.user.UID, GID: p.user.GID}, kubeFile, []byte(admin), secretMode)
}

func readGiven(h *host.Host) (list []given, err error) {
	_, err = h.State().ReadJSON(givenFile, &list)
	return list, err
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Undo is step.Undoer's: it removes the users' kubeconfigs. Files that they
// changed or replaced since are kept.
func (s kubeconfigStep) Undo(_ context.Context, h *host.Host) error {
	list, err := readGiven(h)
	if err != nil {
		return err
	}
	for _, g := range list {
		if err := g.takeBack(h); err != nil {
			s.report.Report(progress.Event{Kind: progress.Warn, Stage: "kubeconfig", Text: err.Error()})
		}
	}
	return h.State().Remove(givenFile)
}

// takeBack removes a kubeconfig, and kubectl's caches in a directory that was made
// for it. The error says what is kept.
func (g given) takeBack(h *host.Host) error {
	home := media.At(h.Path(g.Home))
	text, err := home.ReadFile(kubeFile, maxKubeconfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%s/%s is kept: %w", g.Home, kubeFile, err)
	case hashOf(text) != g.SHA256:
		return fmt.Errorf("%s/%s was changed since and is kept", g.Home, kubeFile)
	default:
		if err := home.Remove(kubeFile); err != nil {
			return fmt.Errorf("%s/%s is kept: %w", g.Home, kubeFile, err)
		}
	}
	if !g.MadeDir {
		return nil
	}
	err = errors.Join(home.RemoveAll(kubeDir+"/cache"), home.RemoveAll(kubeDir+"/http-cache"))
	if err == nil {
		err = home.RemoveEmpty(kubeDir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s/%s is kept: %w", g.Home, kubeDir, err)
	}
	return nil
}
