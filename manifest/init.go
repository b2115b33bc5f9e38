package manifest

import "strings"

// starter is the text of Init, with PROFILE and ARCH as placeholders. What is
// commented out is valid when uncommented.
const starter = `# yaml-language-server: $schema=bundle.schema.json
# (for completion in an editor with that server: bundle schema > bundle.schema.json)
#
# What bundle build packs. This file inherits everything from PROFILE
# (bundle profiles PROFILE prints it) and overrides parts of it.
apiVersion: kubecrate/v1
kind: Bundle
name: my-cluster                # the archive is my-cluster-ARCH.tar.zst
extends: PROFILE

# calico or canal instead of flannel
#network: calico

#packages:
#  # The packages that the hosts have installed: the output of rpm -qa on the oldest
#  # host. They are not packed.
#  baseline: host.txt
#  roots:
#    - vim-enhanced             # add a package
#    - kubernetes-cni-0.8.6-0   # another version of an inherited package
#    - -chrony                  # remove an inherited package
#  repos:
#    - id: base                 # an inherited id: only these keys change
#      baseurl: [https://mirror.example/centos/$releasever/os/$basearch]
#    - id: local                # a new repository
#      baseurl: [file:///srv/repo]
#      gpgkey: [keys/local.asc]
#      fingerprints: [0123456789ABCDEF0123456789ABCDEF01234567]

#images:
#  mirrors:
#    docker.io: [registry.example/docker.io]
#  list:
#    - registry.example/team/app:1.0
#    - name: quay.io/coreos/etcd:v3.4.3
#      roles: [master]          # not needed on nodes
#      #keepDigest: true        # pods refer to it by digest; requires runtime: containerd

#files:
#  - url: ./calico.yaml         # https, http, file, or a relative path
#    path: manifests/calico.yaml # replaces the inherited file of that path
#    network: calico            # only with network: calico
#    images: true               # pack the images it names
#    roles: [master]
`

// Init returns a manifest to start from: it extends profile and shows the most
// common changes, commented out.
func Init(profile string) ([]byte, error) {
	if _, err := ProfileText(profile); err != nil {
		return nil, err
	}
	m, err := Load(profile)
	if err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer("PROFILE", profile, "ARCH", m.Platform.Arch).Replace(starter)), nil
}
