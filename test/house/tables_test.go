package house

// The exceptions to the limits, each with its reason.

// manyMethods are the types with more methods than the rule has, and why.
func manyMethods() map[string]limit {
	return map[string]limit{
		"manifest.findings":     {34, "a validation, one method a section of the documents"},
		"pkg/archive.Reader":    {27, "an fs.FS with its optional interfaces, and verification"},
		"pkg/depsolve.universe": {46, "all that a problem speaks of, indexed: one method a question"},
		"pkg/host.Host":         {42, "what a step may do to a machine, so that a test replaces one value"},
		"pkg/repodata.scanner":  {31, "a scanner of XML: one state, one method a token"},
		"pkg/smoke.session":     {31, "a test of a cluster, one method a check and its parts"},
		"pkg/source.Fetcher":    {30, "a download: mirrors, resuming and retries share its state"},
	}
}

// manyFiles are the packages with more files than the rule has, and why.
func manyFiles() map[string]limit {
	return map[string]limit{
		"cmd/bundle":   {22, "one file a verb"},
		"cmd/install":  {18, "one file a verb"},
		"manifest":     {23, "one file a document and its parts"},
		"pkg/archive":  {35, "frames, groups, volumes and verification share unexported types"},
		"pkg/bundle":   {18, "one file a stage"},
		"pkg/depsolve": {18, "the closure, one file a rule; they share the universe"},
		"pkg/distro":   {18, "one file a family, and the parts of a transaction"},
		"pkg/kubeadm":  {35, "init, join, tickets and reset share the install record; to be split"},
		"pkg/repodata": {16, "one file a document of the format"},
	}
}

// longFiles are the files with more lines than the rule has, and why.
func longFiles() map[string]limit {
	return nil
}

// networkPlaces are where a network is known outside of pkg/cni, and why.
func networkPlaces() map[string]limit {
	return map[string]limit{
		"manifest": {10, "the words that a manifest may use"},
	}
}

// runtimePlaces are where a runtime is known outside of pkg/cri, and why.
func runtimePlaces() map[string]limit {
	return map[string]limit{
		"manifest":     {8, "the words that a manifest may use"},
		"pkg/image":    {45, "the format that docker load reads is an image format"},
		"pkg/imageref": {1, "docker's own spelling of a name"},
	}
}

// managerPlaces are where a package manager is known outside of pkg/distro, and why.
func managerPlaces() map[string]limit {
	return map[string]limit{
		"manifest":     {5, "rpm is a kind of member; baselines are lists of packages, from any host"},
		"pkg/nevra":    {1, "the vocabulary of RPM"},
		"pkg/repodata": {22, "the metadata of yum repositories"},
		"pkg/sbom":     {2, "names packages by their purl, pkg:rpm/..."},
	}
}

// fileWriters are who makes, opens for writing or renames files, and why.
func fileWriters() map[string]limit {
	return map[string]limit{
		"pkg/cli":        {2, "opens the terminal"},
		"pkg/atomicfile": {4, "the one atomic write"},
		"pkg/host":       {1, "a log, which other programs write"},
		"pkg/hostlock":   {1, "the lock that keeps two runs apart"},
		"pkg/step":       {1, "the journal, which grows in place"},
		"pkg/store":      {3, "blobs get their name by hash, resumed in place"},
	}
}

// importers are the modules that several packages import, and why.
func importers() map[string]imported {
	return map[string]imported{
		"github.com/google/go-containerregistry": {[]string{"pkg/source/registry", "pkg/demo"}, "registries belong to pkg/source/registry; the demo serves one"},
		"github.com/klauspost/compress":          {[]string{"pkg/archive", "pkg/image", "pkg/repodata"}, "each reads a format that is compressed"},
		"github.com/spf13/cobra":                 {[]string{"cmd/...", "pkg/cli/..."}, "commands"},
		"github.com/spf13/pflag":                 {[]string{"cmd/...", "pkg/cli/..."}, "flags of commands"},
		"go.yaml.in/yaml":                        {[]string{"manifest/...", "pkg/cni", "pkg/image", "pkg/kubeadm", "pkg/modules"}, "each reads YAML of another origin"},
		"golang.org/x/sync":                      {[]string{"pkg/..."}, "errgroup is near the standard library"},
		"golang.org/x/sys":                       {[]string{"pkg/..."}, "the system calls that the standard library lacks"},
	}
}

// unreached are the functions that no program calls, and why they are there.
func unreached() map[string]string {
	return map[string]string{}
}
