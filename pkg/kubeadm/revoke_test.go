package kubeadm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// TestRevokeInTheCluster: what another master made, or an identity brought, ends
// as well as the ticket that lies here, and what is no ticket of ours is named.
func TestRevokeInTheCluster(t *testing.T) {
	t.Parallel()
	w := withStick(t)
	o := ticketOptions()
	o.ControlPlane = true
	if err := w.run(Ticket(o)); err != nil {
		t.Fatal(err)
	}
	here := w.ticket(stickFile).Token[:6]
	w.describeToken("given1.0123456789abcdef", 7*24*time.Hour, ticketDescription)
	w.describeToken("first1.0123456789abcdef", time.Minute, firstDescription)
	w.describeToken("stale1.0123456789abcdef", -time.Minute, ticketDescription)
	w.describeToken("other1.0123456789abcdef", time.Hour, "by hand")
	w.describeToken("other2.0123456789abcdef", -time.Hour, "by hand, and over")
	var r Revocation
	if err := w.run(Revoke(o, &r)); err != nil {
		t.Fatal(err)
	}
	want := []string{"first1", "given1", "stale1", here}
	slices.Sort(r.Tokens)
	slices.Sort(want)
	if !slices.Equal(r.Tokens, want) || !r.Keys || r.Nothing() || w.tokens() != 2 {
		t.Errorf("%+v, %d tokens stay", r, w.tokens())
	}
	if !slices.Equal(r.Files, []string{TicketFile, stickFile}) || w.m.Read(t, stickFile)+w.m.Read(t, TicketFile) != "" {
		t.Errorf("files: %v", r.Files)
	}
	if len(r.Left) != 1 || !strings.Contains(r.Left[0], "kubeadm token delete other1") {
		t.Errorf("left: %v", r.Left)
	}
	if offered, err := certificatesOffered(t.Context(), w.h); offered || err != nil {
		t.Errorf("the keys for masters are still on offer: %v", err)
	}
	// Nothing makes another one unasked, and a second time there is nothing.
	if st := w.check(Ticket(o)); st.State != step.Done {
		t.Errorf("the next run: %+v", st)
	}
	var again Revocation
	if err := w.run(Revoke(o, &again)); err != nil || !again.Nothing() {
		t.Errorf("again: %v, %+v", err, again)
	}
}

// TestRevokeWithoutTicket: a master that holds no copy ends the tickets all the same.
func TestRevokeWithoutTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	w.describeToken("given1.0123456789abcdef", 7*24*time.Hour, ticketDescription)
	o := ticketOptions()
	o.Stick = ""
	var r Revocation
	if err := w.run(Revoke(o, &r)); err != nil || w.tokens() != 0 || !slices.Equal(r.Tokens, []string{"given1"}) {
		t.Errorf("%v, %+v, %d tokens", err, r, w.tokens())
	}
	if len(r.Left) != 1 || !strings.Contains(r.Left[0], "was not checked") {
		t.Errorf("left: %v", r.Left)
	}
}

// TestRevokeFails: where the cluster was not asked, or did not obey, nothing is claimed.
func TestRevokeFails(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"the API server is down": {func(w *world) { w.up = false }, "cannot revoke the tickets"},
		"the token cannot be deleted": {func(w *world) {
			w.m.Programs["kubeadm"] = func(args []string, stdin string) (string, error) {
				if args[0] == "token" {
					return "", &hosttest.Exit{Code: 1, Stderr: "forbidden"}
				}
				return w.kubeadm(args, stdin)
			}
		}, "forbidden"},
		"kubeadm says yes and does nothing": {func(w *world) {
			w.m.Programs["kubeadm"] = func([]string, string) (string, error) { return "deleted\n", nil }
		}, "step revoke had no effect"},
	} {
		w := withStick(t)
		if err := w.run(Ticket(ticketOptions())); err != nil {
			t.Fatal(err)
		}
		c.change(w)
		err := w.run(Revoke(ticketOptions(), nil))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		if !w.up && (!strings.Contains(hint.Of(err), "on another master") || !errors.Is(err, kubectl.ErrUnreached)) {
			t.Errorf("%s: hint %s", what, hint.Of(err))
		}
	}
}

// TestTicketEndedElsewhere: what another master revoked is not made again by the
// next run on the master that wrote the ticket.
func TestTicketEndedElsewhere(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(w *world, token string){
		"deleted": func(w *world, token string) {
			delete(w.objects, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+token[:6])
		},
		"with other secrets": func(w *world, token string) { w.addToken(token[:7]+"aaaaaaaaaaaaaaaa", time.Hour) },
		"expired early":      func(w *world, token string) { w.addToken(token, -time.Minute) },
	} {
		w := withStick(t)
		if err := w.run(Ticket(ticketOptions())); err != nil {
			t.Fatal(err)
		}
		token := w.ticket(TicketFile).Token
		end(w, token)
		st := w.check(Ticket(ticketOptions()))
		if err := w.run(Ticket(ticketOptions())); err != nil || w.ticket(TicketFile).Token != token || st.State != step.Done ||
			len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "./install ticket makes a new one") {
			t.Errorf("%s: %v, %+v", what, err, st)
		}
		if err := w.run(Renew(ticketOptions())); err != nil || w.ticket(TicketFile).Token == token {
			t.Errorf("%s, and asked for: %v", what, err)
		}
		// One whose time is over is not the same.
		k := w.ticket(TicketFile)
		k.Expires = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		text, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		w.m.Write(t, TicketFile, string(text))
		end(w, k.Token)
		if st := w.check(Ticket(ticketOptions())); st.State != step.ToDo || !strings.Contains(st.What[0], "revoked or has expired") {
			t.Errorf("%s, after its time: %+v", what, st)
		}
	}
}

// TestRetireSeesTheCluster: a master without a ticket ends those of others when
// all have joined, and does not take its own lack for their end.
func TestRetireSeesTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	w.describeToken("given1.0123456789abcdef", 7*24*time.Hour, ticketDescription)
	s := Retire(TicketOptions{Options: options()}, []string{"master1", "node1"})
	if st := w.check(s); st.State != step.Done || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "not joined yet: node1") {
		t.Errorf("one is missing: %+v", st)
	}
	w.objects["/api/v1/nodes"] = `{"items":[` + readyNode + "," + strings.Replace(readyNode, "master1", "node1", 1) + `]}`
	if err := w.run(s); err != nil || w.tokens() != 0 {
		t.Errorf("all have joined: %v, %d tokens", err, w.tokens())
	}
}

// TestRevokeByTheTicket: a ticket that lies here is judged by the cluster that it
// is of, and not by who made its token.
func TestRevokeByTheTicket(t *testing.T) {
	t.Parallel()
	for what, foreign := range map[string]bool{"made by hand": false, "of another cluster": true} {
		w := withStick(t)
		if err := w.run(Ticket(ticketOptions())); err != nil {
			t.Fatal(err)
		}
		w.describeToken("byhand.0123456789abcdef", time.Hour, "by hand")
		k := w.ticket(stickFile)
		k.Token = "byhand.0123456789abcdef"
		if foreign {
			k.CACertHashes = []string{"sha256:" + strings.Repeat("0", 64)}
		}
		text, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		w.m.Write(t, stickFile, string(text))
		var r Revocation
		if err := w.run(Revoke(ticketOptions(), &r)); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(r.Left, "\n")
		if kept := w.m.Read(t, stickFile) != ""; kept != foreign || slices.Contains(r.Tokens, "byhand") == foreign || strings.Contains(said, "is the ticket of another cluster, at "+k.Endpoint) != foreign {
			t.Errorf("%s: kept %v, %+v", what, kept, r)
		}
	}
}
