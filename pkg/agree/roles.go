package agree

import (
	"slices"
	"strings"

	"kubecrate/manifest"
)

// needer is who runs an image or applies a file, and the roles of its hosts.
type needer struct {
	what  string
	roles []manifest.Role
}

// masters are the hosts that run kubeadm init.
func masters() []manifest.Role { return []manifest.Role{manifest.Master} }

// everywhere is both roles: a host of role single gets everything in any case.
func everywhere() []manifest.Role { return []manifest.Role{manifest.Master, manifest.Node} }

// reaches says whether what has the given roles comes to each host of want.
func reaches(roles, want []manifest.Role) bool {
	return !slices.ContainsFunc(want, func(r manifest.Role) bool { return !manifest.Artifact{Roles: roles}.NeededBy(r) })
}

// withheld fails where none of images, which are one image under several names or
// pins, comes to every host of by.
func (f *findings) withheld(images []manifest.LockedImage, by needer) {
	if len(images) == 0 || slices.ContainsFunc(images, func(img manifest.LockedImage) bool { return reaches(img.Roles, by.roles) }) {
		return
	}
	img := images[0]
	f.fail("remove roles from "+img.Name+" in images.list, or write roles: ["+list(by.roles)+"]",
		"in images.list, %s is only for hosts of role %s, but %s runs it on hosts of role %s", img.Name, list(img.Roles), by.what, list(by.roles))
}

// list is roles with commas in between.
func list(roles []manifest.Role) string {
	var names []string
	for _, r := range roles {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}
