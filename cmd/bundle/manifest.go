package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/manifest/schema"
	"kubecrate/pkg/durable"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/lines"
)

// overrides are the flags that change a manifest without editing it.
type overrides struct{ o manifest.Overrides }

func (v *overrides) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&v.o.Mirrors, "mirror", nil, "pull images of a registry from a mirror: REGISTRY=HOST/PREFIX[,HOST/PREFIX]")
	f.StringArrayVar(&v.o.Repos, "repo", nil, "take a yum repository from elsewhere: ID=URL[,URL]")
	f.StringArrayVar(&v.o.Set, "set", nil, "change a field of the manifest: network=calico, packages.baseline=none")
	f.StringArrayVar(&v.o.Baseline, "baseline", nil, "solve for hosts that have these packages: a host's sheet (hosts/NAME.json on the stick) or a list of NEVRAs; given again, what all of the hosts have")
	completeSet(c)
}

func (a *app) initCmd() *cobra.Command {
	var file, profile string
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a manifest to start from",
		Example: `  bundle init                         # bundle.yaml, extending the default profile
  bundle init -o my.yaml --profile kubernetes-1.17.4-el7`,
		RunE: func(*cobra.Command, []string) error {
			text, err := manifest.Init(profile)
			if err != nil {
				return err
			}
			if file == "-" {
				_, err := a.out.Stdout.Write(text)
				return err
			}
			if err := writeNew(file, text); err != nil {
				return err
			}
			return a.out.Print(map[string]string{"manifest": file}, func(w io.Writer) error {
				return lines.Print(w, "wrote %s; edit it, then: %s", file, hint.Command("bundle", "build", file))
			})
		},
	}
	c.Flags().StringVarP(&file, "out", "o", "bundle.yaml", "file to write, - for standard output")
	c.Flags().StringVar(&profile, "profile", manifest.DefaultProfile, "profile to extend, see bundle profiles")
	completeProfileFlag(c)
	return c
}

// writeNew writes a file that must not be there yet.
func writeNew(file string, text []byte) error {
	const mode = 0o644
	err := durable.WriteNew(file, text, mode)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cannot write the manifest: %w", err)
	if errors.Is(err, fs.ErrExist) {
		return hint.With(err, "choose another name: bundle init -o FILE; or build it as it is: %s", hint.Command("bundle", "build", file))
	}
	return err
}

func (a *app) profilesCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "profiles [NAME]",
		Short:   "List the embedded profiles, or print one",
		Example: "  bundle profiles\n  bundle profiles kubernetes-1.17.4-el7",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := manifest.ProfileText(args[0])
				if err != nil {
					return err
				}
				m, err := manifest.Load(args[0])
				if err != nil {
					return err
				}
				return a.out.Print(m, func(w io.Writer) error {
					_, err := w.Write(text)
					return err
				})
			}
			list := manifest.Profiles()
			return a.out.Print(list, func(w io.Writer) error {
				t := lines.New(w)
				for _, p := range list {
					t.Line("%s\t%s", p.Name, p.Description)
				}
				return t.Flush()
			})
		},
		ValidArgsFunction: completeOne(profileNames),
	}
}

func (a *app) schemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of manifests, for editors",
		Example: "  bundle schema > bundle.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Stdout.Write(schema.Schema())
			return err
		},
	}
}
