package manifest

import "strings"

// SplitTag splits an image's name into its repository and its tag or digest,
// which are empty where it has none: "host:5000/a/b:1.2" gives "host:5000/a/b"
// and "1.2", "a@sha256:x" gives "a" and "sha256:x".
func SplitTag(image string) (repository, tag string) {
	if repo, digest, ok := strings.Cut(image, "@"); ok {
		return repo, digest
	}
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:]
	}
	return image, ""
}
