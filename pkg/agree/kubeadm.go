package agree

import (
	"slices"

	"kubecrate/pkg/nevra"
)

// kubeadmImages are the tags of what kubeadm of a minor release runs beside
// Kubernetes, in its first release and in release last.
type kubeadmImages struct {
	minor, last          int
	etcd, coredns, pause span
}

// span is a tag in the first release of a minor and in the last that was read.
type span struct{ first, last string }

// wanted is the tag that kubeadm of a release runs, or the lowest and the highest
// that it may run. Where it is not certain, another tag is not an error.
type wanted struct {
	tag       string // the likeliest; "" where any will do
	from      string // "" where it is tag alone
	certain   bool
	unbounded bool // later ones may be, too
}

func (w wanted) admits(tag string) bool {
	switch {
	case w.tag == "" || tag == w.tag:
		return true
	case w.unbounded:
		return nevra.Vercmp(tag, w.tag) > 0
	}
	return w.from != "" && nevra.Vercmp(tag, w.from) >= 0 && nevra.Vercmp(tag, w.tag) <= 0
}

// at is what release patch runs. Between the two that were read every tag between
// theirs may be, after them every later one.
func (s span) at(patch, last int) wanted {
	switch {
	case s.first == "":
		return wanted{}
	case patch == 0:
		return wanted{tag: s.first, certain: true}
	case patch > last:
		return wanted{tag: s.last, unbounded: true}
	case patch == last || s.first == s.last:
		return wanted{tag: s.last, certain: true}
	}
	return wanted{tag: s.last, from: s.first, certain: true}
}

// defaultRepository is kubeadm's DefaultImageRepository.
func defaultRepository(minor, patch int) string {
	const renamed = 25 // and the patches of three minors before it
	patched := map[int]int{22: 17, 23: 15, 24: 9}
	if first, ok := patched[minor]; minor >= renamed || ok && patch >= first {
		return "registry.k8s.io"
	}
	return "k8s.gcr.io"
}

// kubeadmTable is DefaultEtcdVersion, CoreDNSVersion and PauseVersion of
// cmd/kubeadm/app/constants/constants.go, read in releases 0 and last of each minor.
func kubeadmTable() []kubeadmImages {
	return []kubeadmImages{
		{17, 17, span{"3.4.3-0", "3.4.3-0"}, span{"1.6.5", "1.6.5"}, span{"3.1", "3.1"}},
		{18, 20, span{"3.4.3-0", "3.4.3-0"}, span{"1.6.7", "1.6.7"}, span{"3.2", "3.2"}},
		{19, 16, span{"3.4.9-1", "3.4.13-0"}, span{"1.7.0", "1.7.0"}, span{"3.2", "3.2"}},
		{20, 15, span{"3.4.13-0", "3.4.13-0"}, span{"1.7.0", "1.7.0"}, span{"3.2", "3.2"}},
		{21, 14, span{"3.4.13-0", "3.4.13-0"}, span{"v1.8.0", "v1.8.0"}, span{"3.4.1", "3.4.1"}},
		{22, 17, span{"3.5.0-0", "3.5.6-0"}, span{"v1.8.4", "v1.8.4"}, span{"3.5", "3.5"}},
		{23, 17, span{"3.5.1-0", "3.5.6-0"}, span{"v1.8.6", "v1.8.6"}, span{"3.6", "3.6"}},
		{24, 17, span{"3.5.3-0", "3.5.6-0"}, span{"v1.8.6", "v1.8.6"}, span{"3.7", "3.7"}},
		{25, 16, span{"3.5.4-0", "3.5.9-0"}, span{"v1.9.3", "v1.9.3"}, span{"3.8", "3.8"}},
		{26, 15, span{"3.5.6-0", "3.5.10-0"}, span{"v1.9.3", "v1.9.3"}, span{"3.9", "3.9"}},
		{27, 16, span{"3.5.7-0", "3.5.12-0"}, span{"v1.10.1", "v1.10.1"}, span{"3.9", "3.9"}},
		{28, 15, span{"3.5.9-0", "3.5.15-0"}, span{"v1.10.1", "v1.10.1"}, span{"3.9", "3.9"}},
		{29, 15, span{"3.5.10-0", "3.5.16-0"}, span{"v1.11.1", "v1.11.1"}, span{"3.9", "3.9"}},
		{30, 14, span{"3.5.12-0", "3.5.15-0"}, span{"v1.11.1", "v1.11.3"}, span{"3.9", "3.9"}},
		{31, 14, span{"3.5.15-0", "3.5.24-0"}, span{"v1.11.1", "v1.11.3"}, span{"3.10", "3.10"}},
		{32, 13, span{"3.5.16-0", "3.5.24-0"}, span{"v1.11.3", "v1.11.3"}, span{"3.10", "3.10"}},
		{33, 13, span{"3.5.21-0", "3.5.24-0"}, span{"v1.12.0", "v1.12.0"}, span{"3.10", "3.10"}},
		{34, 4, span{"3.6.4-0", "3.6.5-0"}, span{"v1.12.1", "v1.12.1"}, span{"3.10.1", "3.10.1"}},
		{35, 4, span{"3.6.6-0", "3.6.6-0"}, span{"v1.13.1", "v1.13.1"}, span{"3.10.1", "3.10.1"}},
		{36, 3, span{"3.6.8-0", "3.6.8-0"}, span{"v1.14.2", "v1.14.2"}, span{"3.10.2", "3.10.2"}},
		{37, 2, span{"3.7.0-0", "3.7.0-0"}, span{"v1.14.6", "v1.14.6"}, span{"3.10.2", "3.10.2"}},
	}
}

func kubeadmOf(minor int) (kubeadmImages, bool) {
	table := kubeadmTable()
	i := slices.IndexFunc(table, func(k kubeadmImages) bool { return k.minor == minor })
	if i < 0 {
		return kubeadmImages{}, false
	}
	return table[i], true
}
