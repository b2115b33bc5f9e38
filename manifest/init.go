package manifest

import "strings"

// starter is what Init fills in: PROFILE and ARCH. What is commented out is valid
// when uncommented.
const starter = `# yaml-language-server: $schema=bundle.schema.json
# (bundle schema > bundle.schema.json: an editor with that server then completes the keys)
#
# What bundle build should carry. All of PROFILE is inherited
# (bundle profiles PROFILE prints it); what is written here is laid over it.
apiVersion: kubecrate/v1
kind: Bundle
name: my-cluster                # the archive is my-cluster-ARCH.tar.zst
extends: PROFILE

# calico or canal in place of flannel.
#network: calico

#packages:
#  # What the hosts have installed: the list that rpm -qa prints on the oldest of
#  # them. Packages that are on it already are not carried.
#  baseline: host.txt
#  roots:
#    - vim-enhanced             # one more
#    - kubernetes-cni-0.8.6-0   # another version of what is inherited
#    - -chrony                  # without this one
#  repos:
#    - id: base                 # a known id: only what is written here changes
#      baseurl: [https://mirror.example/centos/$releasever/os/$basearch]
#    - id: local                # a new one
#      baseurl: [file:///srv/repo]
#      gpgkey: [keys/local.asc]
#      fingerprints: [0123456789ABCDEF0123456789ABCDEF01234567]

#images:
#  mirrors:
#    docker.io: [registry.example/docker.io]
#  list:
#    - registry.example/team/app:1.0
#    - name: quay.io/coreos/etcd:v3.4.3
#      roles: [master]          # the nodes do without
#      #keepDigest: true        # pods name it by digest; only with runtime: containerd

#files:
#  - url: ./calico.yaml         # https, http, file, or a path from here
#    path: manifests/calico.yaml # in place of the inherited one of that path
#    network: calico            # only with network: calico
#    images: true               # the images it names are carried too
#    roles: [master]
`

// Init is a manifest to start from: it extends profile and shows, commented
// out, what is changed most often.
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
