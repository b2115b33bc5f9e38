// Package demo goes the whole way without any network: it serves a mirror on a
// loopback address, builds the default-shaped bundle from it, verifies the
// archive, unpacks it and asks the installer for its plans.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
	"kubecrate/pkg/verify"
)

// Options say where the demo works. Everything it writes is below Dir.
type Options struct {
	Dir       string
	Installer string // see bundle.FindInstaller
	Level     archive.Level
	Report    progress.Func
	Out       io.Writer // what it has to say
}

// Run builds, verifies, unpacks and plans. It returns what was built.
func Run(ctx context.Context, o Options) (res *bundle.Result, err error) {
	m, err := Serve(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	say(o.Out, "== mirror on %s: a registry with %d images, yum repositories with %d signed RPMs", m.Address, len(demoImages()), len(packages()))
	say(o.Out, "== %s extends the default profile; bundle build", m.Manifest)
	stick := filepath.Join(o.Dir, "stick")
	if res, err = build(ctx, o, m.Manifest, stick); err != nil {
		return nil, err
	}
	if err := res.WriteText(o.Out); err != nil {
		return nil, err
	}
	path := res.Files[0].Path
	say(o.Out, "\n== bundle verify %s", path)
	checked, err := verify.Archive(ctx, path, verify.Options{}, o.Report)
	if err != nil {
		return nil, err
	}
	if err := checked.WriteText(o.Out); err != nil {
		return nil, err
	}
	tree := filepath.Join(o.Dir, "tree")
	if err := unpack(path, tree); err != nil {
		return nil, err
	}
	say(o.Out, "\n== unpacked to %s, as tar --zstd -xf would", tree)
	for _, role := range []manifest.Role{manifest.Master, manifest.Node} {
		if err := plan(ctx, o, stick, role); err != nil {
			return nil, err
		}
	}
	return res, nil
}

func say(w io.Writer, format string, args ...any) {
	// The demo's talk is not worth failing for.
	_ = table.Print(w, format, args...)
}

// writeManifest writes a manifest that takes everything of the default profile
// from m, and m's key.
func writeManifest(dir string, m *mirror) (string, error) {
	const fileMode, dirMode = 0o644, 0o755
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return "", fmt.Errorf("cannot create the demo's directory: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "demo.gpg"), []byte(m.key), fileMode); err != nil {
		return "", fmt.Errorf("cannot write the demo's key: %w", err)
	}
	text := fmt.Sprintf(`apiVersion: kubecrate/v1
kind: Bundle
name: demo-1.17.4-el7
extends: %s
packages:
  repos:
`, manifest.DefaultProfile)
	for _, id := range []string{"kubernetes", "docker-ce", "base", "updates", "extras"} {
		text += fmt.Sprintf("    - id: %s\n      baseurl: [%s]\n      gpgkey: [demo.gpg]\n      fingerprints: [%s]\n", id, m.repo(id), m.print)
	}
	text += fmt.Sprintf(`images:
  mirrors:
    k8s.gcr.io: [%[1]s/google_containers]
    quay.io: [%[1]s]
    docker.io: [%[1]s]
`, m.address)
	file := filepath.Join(dir, "demo.yaml")
	if err := atomicfile.WriteFile(file, []byte(text), fileMode); err != nil {
		return "", fmt.Errorf("cannot write the demo's manifest: %w", err)
	}
	return file, nil
}

func build(ctx context.Context, o Options, file, stick string) (*bundle.Result, error) {
	m, err := manifest.Load(file)
	if err != nil {
		return nil, err
	}
	const jobs, stall = 4, 10 * time.Second
	s, err := bundle.OpenSources(m, bundle.SourceOptions{
		Cache: filepath.Join(o.Dir, "cache"), Jobs: jobs, Retries: jobs, Stall: stall, Report: o.Report,
	})
	if err != nil {
		return nil, err
	}
	l, err := bundle.Lock(ctx, m, s)
	if err != nil {
		return nil, err
	}
	if err := manifest.WriteLock(manifest.LockPath(file), l); err != nil {
		return nil, err
	}
	return bundle.Build(ctx, m, l, s, bundle.BuildOptions{Dir: stick, Level: o.Level, Installer: o.Installer})
}

// unpack writes every member below dir, each checked against its hash.
func unpack(path, dir string) (err error) {
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if err := os.CopyFS(dir, r); err != nil {
		return fmt.Errorf("cannot unpack the archive: %w", err)
	}
	return nil
}

// plan runs the installer that the build put beside the archive.
func plan(ctx context.Context, o Options, stick string, role manifest.Role) error {
	say(o.Out, "\n== ./install plan --role %s", role)
	cmd := exec.CommandContext(ctx, filepath.Join(stick, "install"), "plan", "--role", string(role))
	cmd.Stdout, cmd.Stderr = o.Out, o.Out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == unfit {
		say(o.Out, "this machine cannot become a %s, as the plan shows; the demo continues", role)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot plan for a %s: %w", role, err)
	}
	return nil
}

// unfit is the exit code of a plan for a host that does not pass preflight: the
// demo runs on any machine.
const unfit = 3
