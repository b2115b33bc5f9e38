package kubeadm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

const theToken = "abcdef.0123456789abcdef"

// keyOf is what stands for the private key in a file.
func keyOf(name string) string { return "PRIVATE-KEY-OF-" + name }

// authority are the CAs of an identity of w's cluster.
func (w *world) authority() AuthorityOptions {
	o := AuthorityOptions{CAHash: w.caHash(), Files: map[string][]byte{}, Source: "identity.age"}
	for _, name := range authorityFiles() {
		o.Files[name] = []byte(keyOf(name))
	}
	o.Files["ca.crt"] = w.ca
	return o
}

// identityWorld is a host with the programs that an identity's steps run.
func identityWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.m.Write(t, "/run/rules", userRules)
	w.m.Programs["install"] = func(args []string, _ string) (string, error) {
		return "", os.MkdirAll(w.h.Path(args[len(args)-1]), 0o750)
	}
	w.m.Programs["rm"] = func([]string, string) (string, error) { return "", nil }
	w.m.Programs["find"] = func([]string, string) (string, error) {
		_ = os.Remove(w.h.Path("/etc/kubernetes/pki/etcd")) // if it is empty
		_ = os.Remove(w.h.Path("/etc/kubernetes/pki"))
		_ = os.Remove(w.h.Path("/root/.kube"))
		return "", nil
	}
	return w
}

func (w *world) firstMaster() (Options, []step.Step) {
	o := options()
	o.Given = ticket()
	o.Given.CACertHashes, o.Given.Expires = []string{w.caHash()}, time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339)
	t := TicketOptions{Options: o, Stick: "/mnt/usb/join.yaml"}
	return o, []step.Step{Authority(w.authority()), Init(o), Kubeconfig(), Ticket(t), Ready(o), Retire(t, []string{"master1", "master2", "node1"})}
}

// TestIdentityFirst: the first master begins the cluster with the CAs and the
// token that were made before it, and a reset takes all of it back.
func TestIdentityFirst(t *testing.T) {
	t.Parallel()
	w := identityWorld(t)
	o, steps := w.firstMaster()
	text, err := o.Given.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.m.Write(t, "/mnt/usb/join.yaml", string(text))
	before := w.m.State(t)
	if st := w.check(steps[0]); st.State != step.ToDo || !strings.Contains(st.What[0], "/etc/kubernetes/pki/ca.crt, /etc/kubernetes/pki/ca.key") || len(st.Diffs) != 0 {
		t.Errorf("to do: %+v", st)
	}
	if err := w.run(steps...); err != nil {
		t.Fatal(err)
	}
	for _, name := range authorityFiles() {
		info, err := os.Stat(w.h.Path(filepath.Join(pkiDir, name)))
		want := os.FileMode(0o600)
		if strings.HasSuffix(name, ".crt") {
			want = 0o644
		}
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if w.tokens() != 1 || w.called("kubeadm token create") != 0 || w.called("kubeadm init --config /var/lib/kubecrate/kubeadm-given.yaml --skip-token-print") != 1 {
		t.Errorf("%d tokens, calls %v", w.tokens(), w.m.Calls())
	}
	if got := w.m.Read(t, TicketFile); got != string(text) || w.m.Read(t, "/mnt/usb/join.yaml") != string(text) {
		t.Errorf("the ticket is another:\n%s", got)
	}
	after := w.m.State(t)
	if err := w.run(steps...); err != nil || w.m.State(t) != after || w.called("kubeadm init") != 1 {
		t.Errorf("run again: %v", err)
	}
	// Without the stick, as status looks at it.
	bare := options()
	for _, s := range []step.Step{Authority(AuthorityOptions{}), Init(bare), Ticket(TicketOptions{Options: bare})} {
		if st := w.check(s); st.State != step.Done {
			t.Errorf("%s without the stick: %+v", s.Name(), st)
		}
	}
	st := w.check(steps[5])
	if st.State != step.Done || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "not joined yet: master2, node1") {
		t.Errorf("while hosts are missing: %+v", st)
	}
	if err := w.undo(Authority(AuthorityOptions{}), Init(Options{}), Kubeconfig(), Ticket(TicketOptions{Stick: "/mnt/usb/join.yaml"})); err != nil {
		t.Fatal(err)
	}
	if ok, err := w.h.Exists(pkiDir); ok || err != nil || w.m.Read(t, "/mnt/usb/join.yaml") != "" {
		t.Errorf("a reset leaves %s, or the ticket: %v", pkiDir, err)
	}
	w.m.Write(t, "/mnt/usb/join.yaml", string(text))
	if got := w.m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant\n%s", got, before)
	}
}

// TestRetire: once every host has joined, nobody else can, and nothing makes a
// new ticket unasked.
func TestRetire(t *testing.T) {
	t.Parallel()
	w := identityWorld(t)
	o, steps := w.firstMaster()
	text, err := o.Given.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.m.Write(t, "/mnt/usb/join.yaml", string(text))
	if err := w.run(steps...); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, n := range []string{"master1", "master2", "node1", "another"} {
		all = append(all, strings.Replace(readyNode, "master1", n, 1))
	}
	w.objects["/api/v1/nodes"] = `{"items":[` + strings.Join(all, ",") + `]}`
	if st := w.check(steps[5]); st.State != step.ToDo || !strings.Contains(st.What[0], "every host of the cluster has joined") {
		t.Errorf("all have joined: %+v", st)
	}
	if err := w.run(steps...); err != nil {
		t.Fatal(err)
	}
	if w.tokens() != 0 || w.m.Read(t, TicketFile) != "" || w.m.Read(t, "/mnt/usb/join.yaml") != "" {
		t.Errorf("%d tokens live", w.tokens())
	}
	if err := w.run(steps...); err != nil || w.tokens() != 0 {
		t.Errorf("run again: %v, %d tokens", err, w.tokens())
	}
	if err := w.run(Renew(TicketOptions{Options: o})); err != nil || w.tokens() != 1 {
		t.Errorf("asked for: %v, %d tokens", err, w.tokens())
	}
	w.up = false
	if st := w.check(steps[5]); st.State != step.Done {
		t.Errorf("nobody answers: %+v", st)
	}
}

// TestIdentityExpired: a cluster that begins after its ticket has ended makes a
// new one, for the hosts that come after.
func TestIdentityExpired(t *testing.T) {
	t.Parallel()
	w := identityWorld(t)
	o, _ := w.firstMaster()
	o.Given.Expires = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	text, err := o.Given.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.m.Write(t, "/mnt/usb/join.yaml", string(text))
	if st := w.check(Init(o)); len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "a new one is written to the stick") {
		t.Errorf("%+v", st)
	}
	if err := w.run(Authority(w.authority()), Init(o), Ticket(TicketOptions{Options: o, Stick: "/mnt/usb/join.yaml"})); err != nil {
		t.Fatal(err)
	}
	if got := w.m.Read(t, "/mnt/usb/join.yaml"); strings.Contains(got, theToken) || w.tokens() != 1 || w.called("kubeadm init --config "+initConfigFile) != 1 {
		t.Errorf("%d tokens, calls %v, ticket\n%s", w.tokens(), w.m.Calls(), got)
	}
}

func (w *world) furtherMaster() JoinOptions {
	o := w.node()
	o.Node, o.Address = "master2", netip.MustParseAddr("192.168.4.12")
	o.ControlPlane, o.Authority = true, true
	return o
}

// TestIdentityFurther: a further master joins with the keys that it has, and
// without a certificate key; killed at any point it ends right, and a reset leads
// back.
func TestIdentityFurther(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		w := identityWorld(t)
		if at > len(w.masterSteps()) {
			break
		}
		before := w.m.State(t)
		steps := []step.Step{Authority(w.authority()), w.join(w.furtherMaster())}
		w.dieAt = at
		if err := w.run(steps...); at > 0 && !errors.Is(err, errKilled) || at == 0 && err != nil {
			t.Fatalf("killed at %d: %v", at, err)
		}
		if at > 0 {
			if err := w.run(steps...); err != nil {
				t.Fatalf("killed at %d, then: %v", at, err)
			}
		}
		for _, s := range steps {
			if st := w.check(s); st.State != step.Done {
				t.Errorf("killed at %d: %s is %+v", at, s.Name(), st)
			}
		}
		config := w.seen[len(w.seen)-1]
		if strings.Contains(config, "certificateKey") || !strings.Contains(config, "localAPIEndpoint:\n    advertiseAddress: 192.168.4.12\n    bindPort: 6443") {
			t.Errorf("kubeadm read\n%s", config)
		}
		if err := w.undo(Authority(AuthorityOptions{}), Join(JoinOptions{})); err != nil {
			t.Fatalf("killed at %d, reset: %v", at, err)
		}
		if got := w.m.State(t); got != before {
			t.Fatalf("killed at %d, after reset\n%s\nwant\n%s", at, got, before)
		}
	}
}

// TestAuthorityRefuses: what another cluster left stays.
func TestAuthorityRefuses(t *testing.T) {
	t.Parallel()
	other := newCA(t)
	for what, c := range map[string]struct {
		prepare func(*world, *AuthorityOptions)
		says    string
	}{
		"a key of another":               {func(w *world, _ *AuthorityOptions) { w.m.Write(t, pkiDir+"/sa.key", "x") }, "/etc/kubernetes/pki/sa.key belongs to another cluster than identity.age"},
		"the CA of another, not opened":  {func(w *world, o *AuthorityOptions) { o.Files = nil; w.m.Write(t, caFile, string(other)) }, "is the CA of another cluster"},
		"a ticket that pins another one": {func(_ *world, o *AuthorityOptions) { o.CAHash = "sha256:" + strings.Repeat("00", 32) }, "is the CA of another cluster"},
	} {
		w := identityWorld(t)
		o := w.authority()
		c.prepare(w, &o)
		if strings.HasPrefix(what, "a ticket") {
			w.m.Write(t, caFile, string(w.ca))
		}
		st := w.check(Authority(o))
		if st.State != step.Impossible || !strings.Contains(st.What[0], c.says) || st.Hint != hintForeign {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(Authority(o)); err == nil {
			t.Errorf("%s: it is done all the same", what)
		}
	}
	w := identityWorld(t)
	if err := w.run(Authority(AuthorityOptions{Source: "identity.age"})); err == nil || !strings.Contains(err.Error(), "identity.age: it is not open") {
		t.Errorf("not opened: %v", err)
	}
	o := w.authority()
	delete(o.Files, "sa.pub")
	if err := w.run(Authority(o)); err == nil || !strings.Contains(err.Error(), "it has no sa.pub") {
		t.Errorf("one is missing: %v", err)
	}
	// Without an identity, such files are a cluster's that install did not make.
	w = identityWorld(t)
	if err := w.run(Authority(w.authority())); err != nil {
		t.Fatal(err)
	}
	if st := w.check(w.join(w.node())); st.State != step.Impossible {
		t.Errorf("a node with keys: %+v", st)
	}
}

// TestIdentitySecrets greps everything that a whole run shows or leaves for the
// secrets: argv, events, notes, plans, errors, the journal and every file that is
// not theirs. Killing kubeadm at each of its steps leaves none behind either.
func TestIdentitySecrets(t *testing.T) {
	t.Parallel()
	for _, further := range []bool{false, true} {
		for at := 0; at < 30; at++ {
			w := identityWorld(t)
			var said strings.Builder
			hear := func(e progress.Event) { fmt.Fprintf(&said, "%+v\n", e) }
			o, steps := w.firstMaster()
			if further {
				j := w.furtherMaster()
				j.Progress = hear
				steps = []step.Step{Authority(w.authority()), w.join(j), Ready(j.Options)}
			} else {
				o.Progress = hear
				steps[1] = Init(o)
			}
			plan, err := step.Plan(t.Context(), w.h, steps)
			if err != nil {
				t.Fatal(err)
			}
			say := func(v any) {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				said.Write(text)
			}
			say(plan)
			w.dieAt = at
			var last error
			for range 2 {
				j := w.journal()
				last = step.Run(t.Context(), w.h, j, Kinds(nil, nil, nil), steps, func(e step.Event) { say(e); fmt.Fprintf(&said, "%v", e.Err) })
				fmt.Fprintf(&said, "%v %s", last, hint.Of(last))
			}
			if last != nil {
				t.Fatalf("killed at %d: %v", at, last)
			}
			w.noSecretLeft(said.String(), theToken, "PRIVATE-KEY-OF")
		}
	}
	w := identityWorld(t)
	o, steps := w.firstMaster()
	w.fail = &hosttest.Exit{Code: 1, Stderr: "error: token " + o.Given.Token + " is odd"}
	if err := w.run(steps...); err == nil || strings.Contains(err.Error(), o.Given.Token) {
		t.Errorf("a kubeadm that repeats it: %v", err)
	}
	w.noSecretLeft("", theToken, "PRIVATE-KEY-OF")
}

// noSecretLeft is noSecret, and looks at every file of the host: only the tickets
// and the keys may hold one, and nobody but root may read those.
func (w *world) noSecretLeft(said string, secrets ...string) {
	w.t.Helper()
	said += strings.Join(w.m.Calls(), "\n")
	for _, s := range secrets {
		if i := strings.Index(said, s); i >= 0 {
			w.t.Errorf("a secret was said: %s", said[max(0, i-200):min(len(said), i+50)])
		}
	}
	err := filepath.WalkDir(w.h.Path("/"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, w.h.Root)
		for _, s := range secrets {
			if !strings.Contains(string(text), s) {
				continue
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			key := strings.HasPrefix(name, pkiDir) || name == TicketFile || strings.HasPrefix(name, "/mnt/usb/") || name == bootstrapConf
			if public := strings.HasSuffix(name, ".crt"); !key || !public && name != bootstrapConf && info.Mode().Perm() != 0o600 {
				w.t.Errorf("a secret stands in %s, mode %v", name, info.Mode())
			}
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}
