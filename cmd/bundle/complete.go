package main

import (
	"strings"

	"github.com/spf13/cobra"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cli"
)

// completeOne offers names for the first argument, and nothing for others.
func completeOne(names func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFiles offers files with these extensions for the first limit arguments.
func completeFiles(limit int, extensions ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

// archives are the extensions of an archive and of its first volume.
func archives() []string { return []string{"tar.zst", "tar.zst.001"} }

func profileNames() []string {
	var names []string
	for _, p := range manifest.Profiles() {
		names = append(names, p.Name)
	}
	return names
}

func completeProfileFlag(c *cobra.Command) {
	cli.Must(c.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(profileNames(), cobra.ShellCompDirectiveNoFileComp)))
}

func completeLevel(c *cobra.Command) {
	var names []string
	for _, l := range archive.Levels() {
		names = append(names, l.String())
	}
	cli.Must(c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)))
}

// completeSet offers the keys, and files after the =.
func completeSet(c *cobra.Command) {
	cli.Must(c.RegisterFlagCompletionFunc("set", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if strings.Contains(typed, "=") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var keys []string
		for _, k := range manifest.SetKeys() {
			keys = append(keys, k+"=")
		}
		return keys, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}))
}
