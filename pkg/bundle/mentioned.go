package bundle

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/image"
	"kubecrate/pkg/progress"
)

// mentioned warns of images that YAML files seem to need and that are not packed:
// those in arguments, variables, ConfigMaps and custom resources, and those of
// containers in a file without images: true. An isolated host cannot pull them;
// only a person can tell whether anything does.
func (s *Sources) mentioned(l *manifest.Lock) error {
	carried := map[string]bool{}
	for _, img := range l.Images {
		carried[img.Name] = true
	}
	for _, f := range l.Files {
		if !slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(f.Path)) {
			continue
		}
		text, err := s.read("sha256:" + f.SHA256)
		if err != nil {
			return err
		}
		var missing []string
		for _, m := range image.Mentions(bytes.NewReader(text)) {
			if !carried[m.Name] {
				missing = append(missing, fmt.Sprintf("%s (line %d)", m.Name, m.Line))
			}
		}
		s.pulled(f.Path, text, carried)
		if len(missing) > 0 {
			s.report.Report(progress.Event{Kind: progress.Warn, Stage: "images", Text: fmt.Sprintf(
				"%s names images that are not packed: %s; list those that hosts need under images.list", f.Path, strings.Join(missing, ", "))})
		}
	}
	return nil
}

// pulled warns of packed images with pods in a file that pull them at every start:
// without a registry such a pod never starts. Files that are not Kubernetes YAML run
// no pods.
func (s *Sources) pulled(path string, text []byte, carried map[string]bool) {
	list, err := image.Pulled(bytes.NewReader(text))
	if err != nil {
		return
	}
	var names []string
	for _, m := range list {
		if carried[m.Name] {
			names = append(names, fmt.Sprintf("%s (line %d)", m.Name, m.Line))
		}
	}
	if len(names) > 0 {
		s.report.Report(progress.Event{Kind: progress.Warn, Stage: "images", Text: fmt.Sprintf(
			"pods of %s pull images at every start, which fails without a registry: %s; set imagePullPolicy: IfNotPresent there (without a tag, or with the tag latest, the default is Always)",
			path, strings.Join(names, ", "))})
	}
}
