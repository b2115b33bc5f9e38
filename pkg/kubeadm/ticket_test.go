package kubeadm

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/step"
)

const stickFile = "/mnt/usb/join.yaml"

func ticketOptions() TicketOptions {
	return TicketOptions{Options: options(), Stick: stickFile, TimeServer: "192.168.4.11", Hosts: options().Cluster.Hosts}
}

// withStick is a host with a cluster and a stick.
func withStick(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.m.Write(t, "/mnt/usb/kubernetes.tar.zst", "")
	made(w)
	return w
}

func (w *world) ticket(path string) *manifest.Ticket {
	w.t.Helper()
	k, err := manifest.ParseTicket(path, []byte(w.m.Read(w.t, path)))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func TestTicket(t *testing.T) {
	t.Parallel()
	w := withStick(t)
	s := Ticket(ticketOptions())
	if st := w.check(s); st.State != step.ToDo || !strings.Contains(st.What[0], "valid for 24h0m0s, to /var/lib/kubecrate/join.yaml and /mnt/usb/join.yaml: there is none yet") {
		t.Errorf("%+v", st)
	}
	if err := w.run(s); err != nil {
		t.Fatal(err)
	}
	k := w.ticket(stickFile)
	if w.m.Read(t, stickFile) != w.m.Read(t, TicketFile) || k.CACertHashes[0] != w.caHash() || k.Endpoint != "192.168.4.11:6443" ||
		k.Kubernetes != "v1.17.4" || k.TimeServer != "192.168.4.11" || len(k.Hosts) != 3 || k.ProxyMode != "ipvs" || k.CertificateKey != "" {
		t.Errorf("%+v", k)
	}
	if at, err := time.Parse(time.RFC3339, k.Issued); err != nil || !k.Expired(at.Add(DefaultTTL+time.Minute)) || k.Expired(at) {
		t.Errorf("issued %q, expires %q: %v", k.Issued, k.Expires, err)
	}
	if info, err := os.Stat(w.h.Path(stickFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	w.noSecret(k.Token, strings.Split(k.Token, ".")[1])
	if w.tokens() != 1 {
		t.Errorf("%d tokens", w.tokens())
	}
	if err := w.run(s); err != nil || w.ticket(stickFile).Token != k.Token || w.tokens() != 1 {
		t.Errorf("run again: %v", err)
	}
	// What the cluster is counts for the ticket, not what is asked for now.
	o := ticketOptions()
	o.Cluster.Endpoint = "other.lan"
	if err := w.run(Renew(o)); err != nil {
		t.Fatal(err)
	}
	next := w.ticket(stickFile)
	if next.Token == k.Token || w.tokens() != 1 || next.Endpoint != "192.168.4.11:6443" {
		t.Errorf("renewed: %+v, %d tokens", next, w.tokens())
	}
	w.noSecret(k.Token, next.Token)
	if err := w.run(Renew(ticketOptions())); err != nil {
		t.Fatal(err)
	}
	if err := w.undo(s); err != nil || w.m.Read(t, stickFile)+w.m.Read(t, TicketFile) != "" {
		t.Errorf("undone: %v", err)
	}
}

// TestTicketAnew: one that does not serve any more is replaced.
func TestTicketAnew(t *testing.T) {
	t.Parallel()
	other := newWorld(t)
	for what, c := range map[string]struct {
		change func(*world, *TicketOptions)
		says   string
	}{
		"soon": {func(w *world, _ *TicketOptions) { w.addToken(w.ticket(TicketFile).Token, 59*time.Minute) }, "expires within the hour"},
		"torn": {func(w *world, _ *TicketOptions) { w.m.Write(t, TicketFile, "apiVersion: kub") }, "cannot be read"},
		"another's": {func(w *world, _ *TicketOptions) {
			k := w.ticket(TicketFile)
			k.CACertHashes = []string{other.caHash()}
			text, err := k.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			w.m.Write(t, TicketFile, string(text), stickFile, string(text))
		}, "belongs to another cluster"},
		"for masters": {func(_ *world, o *TicketOptions) { o.ControlPlane = true }, "does not let further masters join"},
		"stick":       {func(w *world, _ *TicketOptions) { remove(w, stickFile) }, "copy the ticket to /mnt/usb/join.yaml"},
		"killed":      {func(w *world, _ *TicketOptions) { w.m.Write(t, ticketConfigFile, "token: leftover") }, "holds a secret"},
	} {
		w := withStick(t)
		o := ticketOptions()
		if err := w.run(Ticket(o)); err != nil {
			t.Fatal(err)
		}
		c.change(w, &o)
		if st := w.check(Ticket(o)); st.State != step.ToDo || !strings.Contains(st.What[0], c.says) {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(Ticket(o)); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		k := w.ticket(stickFile)
		if st := w.check(Ticket(o)); st.State != step.Done || w.m.Read(t, TicketFile) != w.m.Read(t, stickFile) {
			t.Errorf("%s: %+v", what, st)
		}
		if o.ControlPlane != (len(k.CertificateKey) == 64) {
			t.Errorf("%s: certificate key %q", what, k.CertificateKey)
		}
		w.noSecret(k.Token, "leftover")
		if k.CertificateKey != "" {
			w.noSecret(k.CertificateKey)
		}
	}
}

// TestTicketKilled ends the installer before each program that it runs.
func TestTicketKilled(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		w := withStick(t)
		o := ticketOptions()
		o.ControlPlane = true
		calls := 0
		w.m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		err := w.run(Ticket(o))
		w.m.OnCall = nil
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if err := w.run(Ticket(o)); err != nil || w.tokens() > 2 || w.m.Read(t, stickFile) == "" {
			t.Errorf("killed at %d: %v, %d tokens", at, err, w.tokens())
		}
		w.noSecret(w.ticket(stickFile).Token)
	}
}

func TestTicketWithoutStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	o := ticketOptions() // there is no /mnt/usb
	st := w.check(Ticket(o))
	if len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "carry /var/lib/kubecrate/join.yaml to the other hosts") {
		t.Errorf("%+v", st)
	}
	if err := w.run(Ticket(o)); err != nil {
		t.Fatal(err)
	}
	if st := w.check(Ticket(o)); st.State != step.Done || len(st.Warnings) != 1 {
		t.Errorf("%+v", st)
	}
	if err := w.undo(Ticket(o)); err != nil || w.m.Read(t, TicketFile) != "" {
		t.Error(err)
	}
	o.MustWrite = true
	err := w.run(Ticket(o))
	if err == nil || !strings.Contains(err.Error(), "cannot write the ticket to /mnt/usb/join.yaml") || hint.Of(err) != carry {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	o.Stick = ""
	if err := w.run(Ticket(o)); err != nil || len(w.check(Ticket(o)).Warnings) != 0 {
		t.Error(err)
	}
}

func TestTicketLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if st := w.check(Ticket(ticketOptions())); st.State != step.ToDo || len(w.m.Calls()) != 0 {
		t.Errorf("before there is a cluster: %+v", st)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	token, key := regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`), regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[string]bool{}
	for range 200 {
		a, b := NewToken(), newCertificateKey()
		if !token.MatchString(a) || !key.MatchString(b) || seen[a] || seen[b] {
			t.Fatalf("%s, %s", a, b)
		}
		seen[a], seen[b] = true, true
	}
}
