package schema

import (
	"github.com/invopop/jsonschema"

	"kubecrate/manifest"
)

// property is what the schema says of one key beyond its type. pattern holds
// for the value, or for each where it is a list.
type property struct {
	text    string
	pattern string
	words   []string
	maximum string
	preset  any
	example any
}

func (p property) apply(s *jsonschema.Schema) {
	s.Description = p.text
	value := s
	if s.Items != nil && s.Items.Type == "string" {
		value = s.Items
	}
	if p.pattern != "" {
		value.Pattern = p.pattern
	}
	for _, w := range p.words {
		value.Enum = append(value.Enum, w)
	}
	if p.maximum != "" {
		s.Minimum, s.Maximum = "0", "99"
	}
	if p.preset != nil {
		s.Default = p.preset
	}
	if p.example != nil {
		s.Examples = []any{p.example}
	}
}

const (
	name        = `^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`
	version     = `^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$`
	sha256      = `^[0-9A-Fa-f]{64}$`
	fingerprint = `^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`
	member      = `^(manifests|files)/.+$`
	location    = `^((https?|file)://.+|[^:]+)$`
	place       = `^((https?|file)://.+|embedded:.+|[^:]+)$`
	key         = `^((https?|file)://.+|embedded:.+|[^:]+)$`
)

// properties describes every key by its path; entries of lists have that of
// their list.
func properties(w manifest.Words) map[string]property {
	words := w.Vocabulary()
	return map[string]property{
		"apiVersion":      {text: "The version of this format.", words: []string{manifest.APIVersion}},
		"kind":            {text: "The kind of this file.", words: []string{manifest.KindBundle}},
		"name":            {text: "The name of the archive: NAME-ARCH.tar.zst.", pattern: name, example: "my-cluster"},
		"extends":         {text: "A profile, or a manifest by a path relative to this file, which this one overrides: values replace the inherited ones, entries of lists replace those of the same package, repository or path, others are added; \"-NAME\" removes an entry.", example: manifest.DefaultProfile},
		"platform":        {text: "The platform of the hosts, not of the build machine."},
		"platform.family": {text: "The operating system family.", words: words["platform.family"]},
		"platform.arch":   {text: "The architecture, as Go names it.", words: words["platform.arch"]},
		"kubernetes":      {text: "The Kubernetes version.", pattern: version, example: "v1.17.4"},
		"runtime":         {text: "The container runtime.", words: words["runtime"]},
		"network":         {text: "The pod network.", words: words["network"]},

		"packages":          {text: "The RPMs; their dependencies are added."},
		"packages.baseline": {text: "The packages that the hosts have installed: an embedded list, a file with one NEVRA a line, a host report, several of these separated by commas, or none.", preset: manifest.NoBaseline, example: "centos-7-minimal"},
		"packages.weak":     {text: "Also pack what packages recommend.", preset: false},
		"packages.roots":    {text: "The packages, by name or with version and release.", pattern: `^\S+$`, example: []string{"kubelet-1.17.4-0", "ipset"}},
		"packages.modules":  {text: "Streams of modular repositories instead of the default ones.", pattern: `^[^\s:]+:\S+$`, example: []string{"postgresql:12"}},
		"packages.exclude":  {text: "Excluded packages.", pattern: `^\S+$`},

		"packages.repos":              {text: "The yum repositories of the packages."},
		"packages.repos.id":           {text: "The name of the repository here and in the lock.", pattern: name},
		"packages.repos.baseurl":      {text: "Mirrors of the same content, tried in order: https, http, file or a path. $basearch and $releasever are those of the hosts.", pattern: location},
		"packages.repos.gpgkey":       {text: "The keys of its packages: URLs, paths, or embedded:NAME.", pattern: key},
		"packages.repos.fingerprints": {text: "The fingerprints of the keys: other keys are not trusted.", pattern: fingerprint},
		"packages.repos.gpgcheck":     {text: "Whether packages must be signed by one of the keys.", preset: true},
		"packages.repos.priority":     {text: "If several repositories have a package, the lowest priority wins; 0 means 99.", maximum: "99"},

		"images":                 {text: "The container images."},
		"images.mirrors":         {text: "By registry: mirrors to pull its images from, tried in order; the images keep their names."},
		"images.list":            {text: "The images, by name and tag or digest, or a mapping with more keys."},
		"images.list.name":       {text: "The canonical name, with its tag or digest.", example: "k8s.gcr.io/pause:3.1"},
		"images.list.roles":      {text: "The roles that need it; by default derived from the name."},
		"images.list.keepDigest": {text: "Keep its blobs unchanged, for pods that refer to it by digest.", preset: false},

		"files":         {text: "Files packed unchanged."},
		"files.url":     {text: "Its location: https, http, file, a path relative to this file, or embedded:NAME; several locations of the same content are tried in order."},
		"files.path":    {text: "Its path in the archive, under manifests/ or files/.", pattern: member},
		"files.sha256":  {text: "The sha256 of its content.", pattern: sha256},
		"files.images":  {text: "Pack the images that this YAML names.", preset: false},
		"files.network": {text: "Pack it only with this network.", words: words["network"]},
		"files.roles":   {text: "The roles that need it; all by default."},
	}
}
