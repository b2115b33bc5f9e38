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

// completeFiles offers files with these endings for the first most arguments.
func completeFiles(most int, endings ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return endings, cobra.ShellCompDirectiveFilterFileExt
	}
}

// archives are the endings of an archive and of the first of its volumes.
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

// completeSet offers the keys; what is behind the = is for the user to say, or a
// file.
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
