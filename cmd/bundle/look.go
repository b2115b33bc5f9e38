package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/bundle"
	"kubecrate/pkg/durable"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/report/html"
	"kubecrate/pkg/trust"
	"kubecrate/pkg/verify"
)

// checkLock compares what is locked on disk with what would be locked now.
func (a *app) checkLock(t *target, now *manifest.Lock) error {
	file := t.lock()
	old, err := manifest.ReadLock(file)
	if err != nil {
		return hint.With(err, "%s writes it", t.command("lock"))
	}
	changes := report.Diff(old, now)
	if len(changes) == 0 && old.Manifest == now.Manifest {
		return a.out.Print(map[string]any{"lock": file, "current": true}, func(w io.Writer) error {
			return lines.Print(w, "%s is current", file)
		})
	}
	if err := a.out.Print(changes, func(w io.Writer) error { return report.WriteDiff(w, changes) }); err != nil {
		return err
	}
	return hint.With(fmt.Errorf("%s is stale", file), "%s writes it again", t.command("lock"))
}

func (a *app) verifyCmd() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "verify ARCHIVE",
		Short: "Read every byte of an archive and name what is damaged",
		Long: `Read every byte of an archive, or of its volumes, and compare it with the index, the
.sha256 and the signatures beside it. With --key it must be signed by that key.`,
		Example: `  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst
  bundle verify /mnt/usb/kubernetes-1.17.4-el7-amd64.tar.zst.001 --key kubecrate.pub`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			check := func(index []byte) (*trust.Trusted, error) {
				return trust.Check(nil, args[0], index, trust.Options{Key: key})
			}
			var v *verify.Verified
			err := a.show(func(report progress.Func) (err error) {
				v, err = verify.Archive(cmd.Context(), args[0], verify.Options{Trust: check, Files: true, Package: bundle.PackageFile}, report)
				return err
			})
			if err != nil {
				return err
			}
			return a.out.Print(v, v.WriteText)
		},
	}
	c.Flags().StringVar(&key, "key", "", "public key, or its file, that the archive must be signed by")
	return c
}

func (a *app) inspectCmd() *cobra.Command {
	var page string
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect ARCHIVE",
		Short: "Say what an archive holds, and where it came from",
		Example: `  bundle inspect kubernetes-1.17.4-el7-amd64.tar.zst
  bundle inspect kubernetes-1.17.4-el7-amd64.tar.zst --html report.html`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles(1, archives()...),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			r, closer, err := archive.OpenPath(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closer.Close()) }()
			contents, err := report.Inspect(r)
			if err != nil {
				return err
			}
			if page != "" {
				return a.writeHTML(contents, page)
			}
			if asJSON {
				a.out.WantJSON()
			}
			return a.out.Print(contents, contents.WriteText)
		},
	}
	c.Flags().StringVar(&page, "html", "", "write a report for a browser to this file, - for standard output")
	c.Flags().BoolVar(&asJSON, "json", false, "the same as --output json")
	return c
}

func (a *app) writeHTML(contents *report.Contents, file string) error {
	if file == "-" {
		return html.Write(a.out.Stdout, contents)
	}
	const mode = 0o644
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("cannot write the report: %s is not a regular file", file)
	}
	f, err := durable.Create(file, mode)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	if err := html.Write(f, contents); err != nil {
		return errors.Join(fmt.Errorf("cannot write the report: %w", err), f.Abort())
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

func (a *app) diffCmd() *cobra.Command {
	var code bool
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Say what differs between two archives or locks",
		Long: `Say what differs between two archives or locks. The exit code is 0 whatever is
found; with --exit-code it is 1 where something differs.`,
		Example:           "  bundle diff old.tar.zst new.tar.zst\n  bundle diff old.lock new.lock --exit-code",
		Args:              cobra.ExactArgs(2),                              //nolint:mnd // two things are compared
		ValidArgsFunction: completeFiles(2, append(archives(), "lock")...), //nolint:mnd // as above
		RunE: func(_ *cobra.Command, args []string) error {
			before, err := lockOf(args[0])
			if err != nil {
				return err
			}
			after, err := lockOf(args[1])
			if err != nil {
				return err
			}
			changes := report.Diff(before, after)
			err = a.out.Print(changes, func(w io.Writer) error { return report.WriteDiff(w, changes) })
			if err == nil && code && len(changes) > 0 {
				err = fmt.Errorf("%s and %s differ in %s", args[0], args[1], count(len(changes), "place"))
			}
			return err
		},
	}
	c.Flags().BoolVar(&code, "exit-code", false, "exit with 1 where something differs")
	return c
}

func (a *app) whyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "why ARCHIVE|LOCK NAME",
		Short: "Say why a package, an image or a file is there",
		Example: `  bundle why kubernetes-1.17.4-el7.lock socat
  bundle why kubernetes-1.17.4-el7-amd64.tar.zst quay.io/coreos/flannel`,
		Args:              cobra.ExactArgs(2), //nolint:mnd // where to look and for what
		ValidArgsFunction: completeFiles(1, append(archives(), "lock")...),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := lockOf(args[0])
			if err != nil {
				return err
			}
			why, err := report.Explain(l, args[1])
			if err != nil {
				list := hint.Command("bundle", "inspect", args[0])
				if strings.HasSuffix(args[0], ".lock") {
					list = hint.Command("less", args[0])
				}
				return hint.With(err, "%s shows what there is", list)
			}
			return a.out.Print(why, why.WriteText)
		},
	}
}

// lockOf reads a lock, or the lock inside an archive.
func lockOf(path string) (l *manifest.Lock, err error) {
	if strings.HasSuffix(path, ".lock") {
		l, err := manifest.ReadLock(path)
		return l, hint.With(err, "%s writes it", lockCommand(path))
	}
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return report.Lock(r)
}
