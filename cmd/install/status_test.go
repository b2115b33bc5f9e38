package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/install"
)

// TestConfirmReset: a script needs --yes, and a person on a master types the node's
// name.
func TestConfirmReset(t *testing.T) {
	t.Parallel()
	master := &install.ResetPlan{Bundle: "b", Role: manifest.Master, Node: "master1"}
	node := &install.ResetPlan{Bundle: "b", Role: manifest.Node, Node: "node1"}
	types := func(text string) cli.Asker {
		return func(context.Context, string) (string, error) { return text, nil }
	}
	for what, c := range map[string]struct {
		plan *install.ResetPlan
		yes  bool
		ask  cli.Asker
		says string // "" passes
	}{
		"a script":                       {master, false, nil, "requires --yes"},
		"a script with --yes":            {master, true, nil, ""},
		"the name":                       {master, false, types("master1\n"), ""},
		"a single host's name":           {&install.ResetPlan{Role: manifest.Single, Node: "one"}, false, types(" one \n"), ""},
		"another name":                   {master, false, types("yes\n"), "the name does not match the node, master1"},
		"nothing typed":                  {master, false, types("\n"), "the name does not match"},
		"a terminal with --yes":          {master, true, types("no\n"), ""},
		"a node on a terminal":           {node, false, types("node1\n"), "requires --yes"},
		"a host that is not installed":   {&install.ResetPlan{Empty: true}, false, nil, ""},
		"a host with images alone":       {&install.ResetPlan{}, false, types("\n"), "requires --yes"},
		"a master without a name, Enter": {&install.ResetPlan{Role: manifest.Master}, false, types("\n"), "requires --yes"},
	} {
		err := confirmReset(t.Context(), c.plan, c.yes, c.ask)
		var usage *cli.UsageError
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || !errors.As(err, &usage) || !strings.Contains(hint.Of(err), "./install reset --yes")):
			t.Errorf("%s: %v (%s)", what, err, hint.Of(err))
		}
	}
}
