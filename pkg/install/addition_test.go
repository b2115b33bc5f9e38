package install

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// This test adds a network, a runtime, a family of systems and a preparation that
// nothing but the tables knows of: what an addition takes is one entry in a table.

// The names of what is made up.
const (
	madeNetwork = "madenet"
	madeRuntime = "madert"
	madeFamily  = "madeos"
	madeRecord  = "/run/madenet/env"
	madeConf    = "/etc/madeprep.conf"
	madeRelease = "/etc/madeos-release"
)

// made are the tables of this version and one entry more in each.
func made(t *testing.T) Tables {
	t.Helper()
	docker, err := cri.All().For(manifest.RuntimeDocker)
	if err != nil {
		t.Fatal(err)
	}
	runtimes := append(cri.All(), runtimeMadeUp{docker})
	el7, err := distro.All(runtimes).For("el7")
	if err != nil {
		t.Fatal(err)
	}
	return Tables{
		Networks: append(cni.All(), cni.Network{
			Name: madeNetwork, Driver: networkMadeUp{},
			DaemonSets: []string{"madenet-node"}, Namespaces: []string{"madenet-"}, Configs: []string{madeNetwork}, Hint: "madenetctl doctor",
			Ports:   []cni.Port{{Protocol: cni.TCP, Number: 4321, What: "madenet's health check"}},
			Links:   []cni.Link{{Name: "made0", Of: madeNetwork}},
			Chains:  []cni.Chain{{Prefix: "MADENET-", Of: madeNetwork, Harmful: true}},
			Folders: []cni.Folder{{Path: "/var/lib/madenet"}},
			Record:  cni.Record{File: madeRecord, Name: "PODS"},
		}),
		Runtimes:     runtimes,
		Families:     append(distro.All(runtimes), familyMadeUp{el7}),
		Preparations: append(prep.All(), func(prep.Options) step.Step { return prepMadeUp{} }),
	}
}

// networkMadeUp is the Driver of the network.
type networkMadeUp struct{}

func (networkMadeUp) Runs(text []byte) bool {
	return bytes.Contains(text, []byte("name: madenet-node"))
}

func (networkMadeUp) Render(text []byte, c cni.Cluster) ([]byte, error) {
	return bytes.ReplaceAll(text, []byte("PODS"), []byte(c.PodCIDR.String())), nil
}

const madeManifest = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: madenet-node, namespace: madenet-system}
spec:
  selector: {matchLabels: {app: madenet}}
  template:
    metadata: {labels: {app: madenet}}
    spec:
      containers:
      - {name: madenet, image: "quay.io/coreos/flannel:v0.14.0", args: ["--pods=PODS"]}
`

// runtimeMadeUp has docker's programs, and a name, a socket, folders and a step of
// its own.
type runtimeMadeUp struct{ cri.Runtime }

func (runtimeMadeUp) Name() string   { return madeRuntime }
func (runtimeMadeUp) Socket() string { return "/run/madert.sock" }

func (r runtimeMadeUp) About() cri.About {
	a := r.Runtime.About()
	a.DataDir, a.KubeletDirs, a.Aliases, a.Links = "/var/lib/madert", []string{"/var/lib/madeshim"}, nil, []string{"mrt"}
	return a
}

func (r runtimeMadeUp) Steps(o cri.Options) []step.Step {
	return []step.Step{renamed{r.Runtime.Steps(o)[0], madeRuntime}}
}

// renamed is a step under another name.
type renamed struct {
	step.Step
	name string
}

func (s renamed) Name() string { return s.name }

// familyMadeUp installs as EL 7 does, on systems that have a file of its own, by a
// step and with hints of its own.
type familyMadeUp struct{ el7 software.Source }

func (familyMadeUp) About() software.About {
	return software.About{Name: madeFamily, Programs: []string{"madepkg"}, Dirs: []string{"/var/lib/madepkg"}}
}

func (familyMadeUp) Supports(h *host.Host) (software.System, error) {
	text, err := h.Text(madeRelease)
	s := software.System{Name: strings.TrimSpace(text)}
	if s.Name == "" {
		s.Name, s.Problem, s.Hint = "another system", "this host does not have madeos", "take a host with madeos"
	}
	return s, err
}

func (f familyMadeUp) Steps(b software.Bundle, report progress.Func) []step.Step {
	return []step.Step{packagesMadeUp{renamed{f.el7.Steps(b, report)[0], "madepkg"}}}
}

func (f familyMadeUp) Kinds(report progress.Func) step.Kinds {
	return step.Plain(f.Steps(software.Bundle{}, report)...)
}

func (familyMadeUp) InstallHint(programs ...string) string {
	return "madepkg add " + strings.Join(programs, " ")
}
func (familyMadeUp) FreeHint() string                  { return "madepkg clean" }
func (familyMadeUp) Provider(program string) string    { return "made-" + program }
func (familyMadeUp) MediumHint(provider string) string { return "madepkg add /media/" + provider }

type packagesMadeUp struct{ renamed }

func (s packagesMadeUp) Undo(ctx context.Context, h *host.Host) error {
	return s.Step.(step.Undoer).Undo(ctx, h)
}

// prepMadeUp is the preparation: a file.
type prepMadeUp struct{}

func (prepMadeUp) Name() string { return "madeprep" }

func (prepMadeUp) Check(_ context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	text, err := h.Text(madeConf)
	st.File(madeConf, text, "made up\n")
	return st, err
}

func (prepMadeUp) Apply(_ context.Context, h *host.Host) error {
	return h.WriteFile(madeConf, []byte("made up\n"), 0o644)
}

// madeText is the manifest of the bundle that has all of it.
func madeText(t *testing.T) string {
	t.Helper()
	profile, err := os.ReadFile("../../manifest/profiles/kubernetes-1.17.4-el7.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("name: kubernetes-1.17.4-el7\n", "name: made\n", "family: el7,", "family: "+madeFamily+",",
		"runtime: docker\n", "runtime: "+madeRuntime+"\n", "network: flannel\n", "network: "+madeNetwork+"\n").Replace(string(profile))
	for _, name := range []string{madeFamily, madeRuntime, madeNetwork} {
		if !strings.Contains(text, name) {
			t.Fatalf("the profile has another form: no %s in it", name)
		}
	}
	return text
}

// madeLab is a lab whose stick has that bundle, and whose verbs are given tables.
func madeLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, api: newAPI(t), runtime: manifest.RuntimeDocker, stick: t.TempDir(), tables: made(t)}
	b := &builder{t: t, lock: manifest.Lock{APIVersion: manifest.APIVersion, Kind: manifest.KindLock, Name: "made",
		Platform: manifest.Platform{Family: madeFamily, Arch: "amd64"}, Baseline: manifest.NoBaseline, Manifest: strings.Repeat("ab", 32)}}
	b.packages(manifest.RuntimeDocker)
	b.images()
	b.file("manifests/madenet.yml", []byte(madeManifest))
	l.archive = b.write(filepath.Join(l.stick, "made-amd64.tar.zst"), []byte(madeText(t)))
	return l
}

// madeHost is a bare host with the system of the family, on which kubeadm leaves
// what pods of the network do.
func (l *lab) madeHost(name, address string) *machine {
	x := l.host(name, address)
	x.m.Write(l.t, madeRelease, "Made OS 1\n", "/usr/sbin/madepkg", "")
	inner := x.m.Programs["kubeadm"]
	x.m.Programs["kubeadm"] = func(args []string, stdin string) (string, error) {
		out, err := inner(args, stdin)
		if err == nil && args[0] == "init" && args[1] != "phase" {
			for _, p := range []string{"/sys/class/net/flannel.1", "/etc/cni/net.d/10-flannel.conflist", "/run/flannel"} {
				if err := os.RemoveAll(x.h.Path(p)); err != nil {
					l.t.Error(err)
				}
			}
			x.m.Write(l.t, "/sys/class/net/made0/address", "x", "/etc/cni/net.d/10-madenet.conflist", "{}", "/var/lib/madenet/state", "x", "/var/lib/madeshim/x", "x",
				"/run/rules", "*filter\n:INPUT ACCEPT [0:0]\n:MADENET-IN - [0:0]\n[0:0] -A INPUT -j MADENET-IN\nCOMMIT\n")
		}
		return out, err
	}
	return x
}

// TestAddition: every verb knows what is in a table.
func TestAddition(t *testing.T) {
	t.Parallel()
	l := madeLab(t)
	x := l.madeHost("master1", "192.168.4.11")
	before := x.state()

	p, err := MakePlan(t.Context(), x.h, x.planRequest(manifest.Master))
	if err != nil || p.Err() != nil {
		t.Fatalf("plan: %v, %v", err, p.Err())
	}
	var names []string
	for _, e := range p.Steps {
		names = append(names, e.Step)
	}
	for _, want := range []string{"madeprep", "madepkg", madeRuntime, "network"} {
		if !slices.Contains(names, want) {
			t.Errorf("plan: no step %s in %q", want, names)
		}
	}
	if got := software.InstallHint(x.h, "kubelet"); got != "madepkg add kubelet" {
		t.Errorf("hint: %q", got)
	}
	if x.state() != before {
		t.Errorf("the plan changed:\n%s", difference(before, x.state()))
	}

	x.stay(manifest.Single)
	if !l.api.has("daemonsets/madenet-system/madenet-node") || !strings.Contains(strings.Join(x.configured, "\n"), "/run/madert.sock") {
		t.Errorf("the network is not applied, or the runtime is not told to kubeadm: %v", l.api.ids("daemonsets/"))
	}
	x.drift()
	x.tested()

	r, err := PlanReset(x.h, x.resetRequest(false))
	if err != nil || !slices.ContainsFunc(r.Changes, func(c step.Change) bool { return c.Step == "madeprep" }) {
		t.Errorf("reset --plan: %+v, %v", r, err)
	}
	u := x.leave(before)
	for _, want := range []string{"madeprep", "madepkg", madeRuntime, "images"} {
		if !slices.Contains(u.Steps, want) {
			t.Errorf("reset: no step %s in %q", want, u.Steps)
		}
	}

	x.stay(manifest.Single)
	packages := x.rpm.Installed()
	if _, err := Reset(t.Context(), x.h, x.resetRequest(true)); err != nil || !slices.Equal(x.rpm.Installed(), packages) {
		t.Errorf("reset that keeps packages: %v; installed %v", err, x.rpm.Installed())
	}
}

// drift holds that status sees what is no longer so.
func (x *machine) drift() {
	t := x.l.t
	t.Helper()
	if err := os.Remove(x.h.Path(madeConf)); err != nil {
		t.Fatal(err)
	}
	x.l.api.drop("daemonsets/madenet-system/madenet-node")
	st, err := CheckStatus(t.Context(), x.h, x.statusRequest())
	if err == nil || st.Condition != Drifted {
		t.Fatalf("status: %+v, %v", st, err)
	}
	for _, e := range st.Steps {
		drifted := e.Step == "madeprep" || e.Step == "network"
		if drifted != (e.Status.State != step.Done) {
			t.Errorf("status: %s is %s: %v", e.Step, e.Status.State, e.Status.What)
		}
	}
	if r, err := x.run(manifest.Single); err != nil || !slices.Equal(r.Changed, []string{"madeprep", "network"}) {
		t.Errorf("the run after: %+v, %v", r, err)
	}
}

// tested holds that smoke asks for the pods of the network, and says what it is
// whose pods do not reach each other.
func (x *machine) tested() {
	t := x.l.t
	t.Helper()
	const pod = "pods/madenet-system/madenet-node-1"
	sick := podOf(x.name, x.address, "madenet", true)
	sick["status"] = object{"phase": "Pending", "containerStatuses": []object{{"name": "c", "state": object{"waiting": object{
		"reason": "ContainerCreating", "message": "open " + madeRecord + ": no such file or directory"}}}}}
	x.l.api.put(pod, sick)
	q := x.smokeRequest()
	q.Wait = 1
	r, err := Smoke(t.Context(), x.h, q)
	if err == nil || !strings.Contains(err.Error(), "madenet-node-1") || !strings.Contains(hint.Of(err), "the network's pod on master1 must be running") {
		t.Errorf("smoke: %+v, %v (hint %q)", r, err, hint.Of(err))
	}
	x.l.api.drop(pod)
	if r, err = Smoke(t.Context(), x.h, x.smokeRequest()); err != nil {
		t.Errorf("smoke: %+v, %v", r, err)
	}
	in, err := installed(t.Context(), x.h, x.media(), x.caller(), "", terms{})
	if err != nil {
		t.Fatal(err)
	}
	if o := in.assembly().smokeOptions(); o.Networks.Find(o.Network).Hint != "madenetctl doctor" {
		t.Errorf("smoke does not know the hint of %s", o.Network)
	}
	if err := in.close(); err != nil {
		t.Error(err)
	}
}

// TestAdditionAhead: preflight knows the port, the leavings and the systems of what
// is in a table.
func TestAdditionAhead(t *testing.T) {
	t.Parallel()
	l := madeLab(t)
	x := l.madeHost("master1", "192.168.4.11")
	for _, p := range []string{"/usr/sbin/tc", "/usr/sbin/madepkg"} {
		if err := os.Remove(x.h.Path(p)); err != nil {
			t.Fatal(err)
		}
	}
	x.m.Write(t, madeRelease, "", "/sys/class/net/made0/address", "02:00:00:00:00:01\n", "/sys/class/net/made0/operstate", "up\n", "/var/lib/madert/x", "",
		"/run/rules", "*filter\n:INPUT ACCEPT [0:0]\n:MADENET-IN - [0:0]\n[0:0] -A INPUT -j MADENET-IN\nCOMMIT\n",
		"/proc/net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:10E1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17 1 0 100 0 0 10 0\n",
		"/etc/cni/net.d/10-flannel.conflist", "{}")
	found, err := Preflight(t.Context(), x.h, x.planRequest(manifest.Master))
	if err == nil {
		t.Fatal("nothing was found")
	}
	var said strings.Builder
	for _, c := range append(found.Of(preflight.Failed), found.Of(preflight.Warning)...) {
		said.WriteString(c.Name + ": " + c.Message + " (" + c.Hint + ")\n")
	}
	for _, want := range []string{
		"port 4321 (madenet's health check) is in use", "an earlier network (madenet) left made0", "ip link delete made0", "chains of madenet in iptables",
		"this host does not have madeos", "take a host with madeos", "madepkg add /media/made-tc", "made-madepkg", "10-flannel.conflist",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, said.String())
		}
	}
	if !slices.Contains(madeFacts(t, x), "/var/lib/madert") {
		t.Error("the disk of the runtime is not looked at")
	}
}

// madeFacts are the paths whose disks the installer looks at.
func madeFacts(t *testing.T, x *machine) []string {
	t.Helper()
	r, err := open(t.Context(), x.h, x.media(), x.caller(), x.planRequest(manifest.Master).Host, terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	var list []string
	for _, d := range r.facts.Disks {
		list = append(list, d.Path)
	}
	if !r.facts.Virtual("mrt0") || !r.facts.Cluster("made0") {
		t.Error("links of the runtime or of the network are taken for the host's own")
	}
	return list
}

// TestAdditionNamed: a manifest may name what is in a table, and nothing else.
func TestAdditionNamed(t *testing.T) {
	t.Parallel()
	words, text := made(t).words(), madeText(t)
	m, err := words.Parse("made.yaml", []byte(text))
	if err != nil || m.Network != madeNetwork || m.Runtime != madeRuntime || m.Platform.Family != madeFamily {
		t.Errorf("%+v, %v", m, err)
	}
	_, err = words.Parse("made.yaml", []byte(strings.ReplaceAll(text, "network: madenet", "network: madent")))
	if err == nil || !strings.Contains(err.Error(), "did you mean \"madenet\"") {
		t.Errorf("a name that is nearly right: %v", err)
	}
	if _, err := manifest.Parse("made.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), madeNetwork) {
		t.Errorf("without the tables: %v", err)
	}
	// A program without the entry names what it has, and does nothing.
	l := madeLab(t)
	x := l.madeHost("master1", "192.168.4.11")
	before := x.state()
	l.tables = Tables{}
	if _, err := x.run(manifest.Master); err == nil || !strings.Contains(err.Error(), madeFamily) || x.state() != before {
		t.Errorf("without the tables: %v (hint %q)", err, hint.Of(err))
	}
}
