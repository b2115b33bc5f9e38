package manifest

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kubecrate/pkg/credential"
)

// Overrides change a manifest from the command line: Set holds KEY=VALUE,
// Mirrors REGISTRY=PREFIX[,PREFIX], Repos ID=URL[,URL], Baseline files or names
// as in packages.baseline, relative to the current directory. Mirrors and Repos
// change where to download from, not what: they do not change the Digest. It
// includes only the names of Baseline; a lock has a digest of their contents.
type Overrides struct {
	Set      []string
	Mirrors  []string
	Repos    []string
	Baseline []string
}

// setting is a value that --set knows.
type setting struct {
	text *string
	flag *bool
}

func settings(m *Manifest) map[string]setting {
	return map[string]setting{
		"name":              {text: &m.Name},
		"kubernetes":        {text: &m.Kubernetes},
		"runtime":           {text: &m.Runtime},
		"network":           {text: &m.Network},
		"platform.family":   {text: &m.Platform.Family},
		"platform.arch":     {text: &m.Platform.Arch},
		"packages.baseline": {text: &m.Packages.Baseline},
		"packages.weak":     {flag: &m.Packages.Weak},
	}
}

// SetKeys are the keys that Overrides.Set knows, sorted.
func SetKeys() []string { return slices.Sorted(maps.Keys(settings(&Manifest{}))) }

// Override applies o to m; on an error, m is unchanged.
func (m *Manifest) Override(o Overrides) error {
	from := origin{raw: m.clone()}
	if m.origin != nil {
		from = origin{dir: m.origin.dir, raw: m.origin.raw.clone(), mirrors: m.origin.mirrors, repos: m.origin.repos, hosts: m.origin.hosts}
	}
	next := &from
	next.mirrors, next.repos = cloned(next.mirrors), cloned(next.repos)
	for _, s := range o.Set {
		if err := next.set(s); err != nil {
			return fmt.Errorf("--set %s: %w", credential.Shown(s), err)
		}
	}
	for _, s := range o.Repos {
		if err := next.repo(s); err != nil {
			return fmt.Errorf("--repo %s: %w", credential.Shown(s), err)
		}
	}
	for _, s := range o.Mirrors {
		if err := next.mirror(s); err != nil {
			return fmt.Errorf("--mirror %s: %w", withoutLogin(s), err)
		}
	}
	if len(o.Baseline) > 0 {
		next.hosts = nil
	}
	for _, s := range o.Baseline {
		if err := next.host(s, len(o.Baseline)); err != nil {
			return fmt.Errorf("--baseline %s: %w", credential.Shown(s), err)
		}
	}
	if f := validate(&next.raw, Words{}); len(f.list) > 0 {
		return fmt.Errorf("cannot use --set: %w", invalid(m.Name, f.problems(nil)))
	}
	m.origin = next
	m.resolve()
	return nil
}

func cloned(m map[string][]string) map[string][]string {
	if m == nil {
		return map[string][]string{}
	}
	return maps.Clone(m)
}

func (o *origin) set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || value == "" {
		return fmt.Errorf("want KEY=VALUE")
	}
	all := settings(&o.raw)
	target, ok := all[key]
	if !ok {
		return fmt.Errorf("unknown key %q%s", key, guess(key, slices.Collect(maps.Keys(all))))
	}
	if target.flag != nil {
		v, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s must be true or false, not %q", key, value)
		}
		*target.flag = v
		return nil
	}
	*target.text = value
	if known := Vocabulary()[key]; known != nil && !slices.Contains(known, value) {
		return fmt.Errorf("%q is not known%s", value, guess(value, known))
	}
	return nil
}

// host adds one of n baselines.
func (o *origin) host(s string, n int) error {
	switch {
	case s == "":
		return fmt.Errorf("want a file")
	case strings.Contains(s, ","):
		return fmt.Errorf("the name of a baseline cannot contain a comma")
	case s == NoBaseline && n > 1:
		return fmt.Errorf("%s cannot be combined with other baselines", NoBaseline)
	}
	if strings.Contains(s, "://") {
		return fmt.Errorf("want a file, not a URL")
	}
	if err := checkLocation(s); err != nil {
		return err
	}
	if s != NoBaseline && !slices.Contains(BaselineNames(), s) {
		at, err := filepath.Abs(s)
		if err != nil {
			return err
		}
		s = at
	}
	o.hosts = append(o.hosts, s)
	return nil
}

func (o *origin) repo(s string) error {
	id, urls, err := cutList(s, "ID=URL[,URL]")
	if err != nil {
		return err
	}
	var known []string
	for _, r := range o.raw.Packages.Repos {
		known = append(known, r.ID)
	}
	if !slices.Contains(known, id) {
		return fmt.Errorf("no repository %q%s", id, guess(id, known))
	}
	for _, u := range urls {
		if err := errors.Join(checkLocation(u), checkVariables(u)); err != nil {
			return err
		}
	}
	o.repos[id] = urls
	return nil
}

func (o *origin) mirror(s string) error {
	registry, prefixes, err := cutList(s, "REGISTRY=PREFIX[,PREFIX]")
	if err != nil {
		return err
	}
	if err := checkMirrored(registry); err != nil {
		return err
	}
	for _, p := range prefixes {
		if err := checkMirror(p); err != nil {
			return err
		}
	}
	o.mirrors[registry] = prefixes
	return nil
}

// withoutLogin is the value of --mirror without credentials, for messages.
func withoutLogin(s string) string {
	if strings.Contains(s, "@") {
		registry, _, _ := strings.Cut(s, "=")
		if s = registry; strings.Contains(s, "@") {
			return credential.Hidden
		}
		return s + "=" + credential.Hidden
	}
	return credential.Shown(s)
}

func cutList(s, form string) (key string, values []string, err error) {
	key, list, ok := strings.Cut(s, "=")
	values = strings.Split(list, ",")
	if !ok || key == "" || slices.Contains(values, "") {
		return "", nil, fmt.Errorf("want %s", form)
	}
	return key, values, nil
}
