package cni

// These networks are recognised, and not installed: what they left on a host, and
// that a cluster has them already.

func weaveNetwork() Network {
	const of = "weave"
	return Network{
		Name: of, DaemonSets: []string{"weave-net"}, Configs: []string{"weave"},
		Links:  []Link{{Name: "weave", Of: of}, {Name: "vxlan-6784", Of: of}, {Name: "vethwe-", Prefix: true, Of: of}},
		Chains: []Chain{{"WEAVE", of, true}},
	}
}

func ciliumNetwork() Network {
	const of = "cilium"
	return Network{
		Name: of, DaemonSets: []string{"cilium"}, Configs: []string{"cilium"},
		Links:  []Link{{Name: "cilium_", Prefix: true, Of: of}, {Name: "lxc_health", Of: of}},
		Chains: []Chain{{"CILIUM_", of, true}, {"OLD_CILIUM_", of, true}},
	}
}

func kubeRouterNetwork() Network {
	const of = "kube-router"
	return Network{
		Name: of, DaemonSets: []string{"kube-router"}, Configs: []string{"kuberouter", "kube-router"},
		Links:  []Link{{Name: "kube-bridge", Of: of}, {Name: "kube-dummy-if", Of: of}},
		Chains: []Chain{{"KUBE-ROUTER-", of, true}, {"KUBE-NWPLCY-", of, true}, {"KUBE-POD-FW-", of, true}},
	}
}

func antreaNetwork() Network {
	const of = "antrea"
	return Network{
		Name: of, DaemonSets: []string{"antrea-agent"}, Configs: []string{"antrea"},
		Links:  []Link{{Name: "antrea-", Prefix: true, Of: of}},
		Chains: []Chain{{"ANTREA-", of, true}},
	}
}

func kubeOVNNetwork() Network {
	const of = "kube-ovn"
	return Network{
		Name: of, DaemonSets: []string{"kube-ovn-cni"}, Configs: []string{"kube-ovn"},
		Links: []Link{{Name: "ovn0", Of: of}},
	}
}

// ovnNetwork is ovn-kubernetes, which is recognised by its links alone.
func ovnNetwork() Network {
	const of = "OVN"
	return Network{Name: of, Links: []Link{{Name: "ovn-k8s-", Prefix: true, Of: of}}}
}
