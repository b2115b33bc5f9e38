package kubeadm

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// AuthorityOptions say which CAs a master is given before kubeadm begins. Files
// are those of the pki directory by their paths in it, including private keys;
// nil while the identity is not open. CAHash is that of the cluster's CA.
type AuthorityOptions struct {
	CAHash string
	Files  map[string][]byte
	Source string // where the files come from, for messages
}

// Authority is the step that writes the CAs of an identity to where kubeadm reuses
// existing ones, private keys readable by root alone. Files of another cluster are
// never touched.
func Authority(o AuthorityOptions) step.Step { return authorityStep{o} }

type authorityStep struct{ o AuthorityOptions }

func (authorityStep) Name() string { return "identity" }

// HasAuthority reports whether every file of the CAs is on the host.
func HasAuthority(h *host.Host) (bool, error) {
	for _, name := range authorityFiles() {
		ok, err := h.Exists(path.Join(pkiDir, name))
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (s authorityStep) Check(_ context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	var missing []string
	for _, name := range authorityFiles() {
		file := path.Join(pkiDir, name)
		now, err := h.Text(file)
		if err != nil {
			return st, err
		}
		switch {
		case now == "":
			missing = append(missing, file)
		case s.o.Files != nil && !bytes.Equal(s.o.Files[name], []byte(now)):
			return step.Cannot(hintForeign, "%s belongs to another cluster than %s", file, s.o.Source), nil
		}
	}
	hash, err := caHashOf(h)
	if err != nil {
		return st, err
	}
	if hash != "" && s.o.CAHash != "" && hash != s.o.CAHash {
		return step.Cannot(hintForeign, "%s is the CA of another cluster than %s", caFile, s.o.Source), nil
	}
	if len(missing) > 0 {
		st.Todo("copy the cluster's CAs and keys from %s: %s", s.o.Source, strings.Join(missing, ", "))
	}
	return st, nil
}

func (s authorityStep) Apply(_ context.Context, h *host.Host) error {
	if s.o.Files == nil {
		return fmt.Errorf("cannot copy the CAs from %s: it is not open", s.o.Source)
	}
	// The directories are removed with the files if they are empty.
	undo := []string{"find", "/etc", "-maxdepth", "3", "-path", pkiDir + "*", "-type", "d", "-empty", "-delete"}
	if err := h.RecordUndo(undo...); err != nil {
		return err
	}
	for _, name := range authorityFiles() {
		text := s.o.Files[name]
		if len(text) == 0 {
			return fmt.Errorf("cannot copy the CAs from %s: it has no %s", s.o.Source, name)
		}
		mode := host.FileMode
		if !strings.HasSuffix(name, ".crt") {
			mode = secretMode
		}
		if err := h.WriteFile(path.Join(pkiDir, name), text, mode); err != nil {
			return err
		}
	}
	return nil
}

// Answers reports whether the API server at endpoint, HOST:PORT, belongs to the
// cluster whose CA has one of hashes; d is as in Options. It takes a few seconds at most.
func Answers(ctx context.Context, d clusterhttp.Dialer, endpoint string, hashes []string) bool {
	a, err := probe(ctx, d, endpoint)
	return err == nil && slices.Contains(hashes, a.caHash)
}
