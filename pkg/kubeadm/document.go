package kubeadm

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// The documents that kubeadm reads, as far as they are used here. The keys are
// the same in v1beta2, v1beta3 and v1beta4 but for the arguments, see extraArgs.

type header struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
}

type initDocument struct {
	header           `yaml:",inline"`
	BootstrapTokens  []bootstrapToken `yaml:"bootstrapTokens,omitempty"`
	CertificateKey   string           `yaml:"certificateKey,omitempty"`
	LocalAPIEndpoint apiEndpoint      `yaml:"localAPIEndpoint"`
	NodeRegistration registration     `yaml:"nodeRegistration"`
}

// bootstrapToken without a Token gets one that kubeadm generates and does not show.
type bootstrapToken struct {
	Token       string `yaml:"token,omitempty"`
	Description string `yaml:"description"`
	TTL         string `yaml:"ttl"`
}

type apiEndpoint struct {
	AdvertiseAddress string `yaml:"advertiseAddress"`
	BindPort         int    `yaml:"bindPort"`
}

// registration is how the host becomes a node. Taints nil are kubeadm's own.
type registration struct {
	Name             string    `yaml:"name"`
	CRISocket        string    `yaml:"criSocket"`
	KubeletExtraArgs any       `yaml:"kubeletExtraArgs,omitempty"`
	Taints           *[]string `yaml:"taints,omitempty"`
}

type clusterDocument struct {
	header               `yaml:",inline"`
	ClusterName          string     `yaml:"clusterName"`
	KubernetesVersion    string     `yaml:"kubernetesVersion"`
	ControlPlaneEndpoint string     `yaml:"controlPlaneEndpoint"`
	ImageRepository      string     `yaml:"imageRepository,omitempty"`
	Networking           networking `yaml:"networking"`
	APIServer            apiServer  `yaml:"apiServer"`
	Etcd                 etcd       `yaml:"etcd"`
}

type networking struct {
	PodSubnet     string `yaml:"podSubnet"`
	ServiceSubnet string `yaml:"serviceSubnet"`
	DNSDomain     string `yaml:"dnsDomain"`
}

type apiServer struct {
	CertSANs []string `yaml:"certSANs"`
}

type etcd struct {
	Local localEtcd `yaml:"local"`
}

type localEtcd struct {
	DataDir string `yaml:"dataDir"`
}

type proxyDocument struct {
	header    `yaml:",inline"`
	Mode      string     `yaml:"mode"`
	Conntrack *conntrack `yaml:"conntrack,omitempty"`
}

type conntrack struct {
	MaxPerCore *int `yaml:"maxPerCore,omitempty"`
	Min        *int `yaml:"min,omitempty"`
}

type kubeletDocument struct {
	header       `yaml:",inline"`
	CgroupDriver string `yaml:"cgroupDriver"`
}

type joinDocument struct {
	header           `yaml:",inline"`
	Discovery        discovery         `yaml:"discovery"`
	NodeRegistration registration      `yaml:"nodeRegistration"`
	ControlPlane     *joinControlPlane `yaml:"controlPlane,omitempty"`
}

type discovery struct {
	BootstrapToken tokenDiscovery `yaml:"bootstrapToken"`
}

type tokenDiscovery struct {
	APIServerEndpoint string   `yaml:"apiServerEndpoint"`
	Token             string   `yaml:"token"`
	CACertHashes      []string `yaml:"caCertHashes"`
}

type joinControlPlane struct {
	CertificateKey   string      `yaml:"certificateKey,omitempty"`
	LocalAPIEndpoint apiEndpoint `yaml:"localAPIEndpoint"`
}

// argument is one of extraArgs in v1beta4.
type argument struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// extraArgs are arguments in the form that the release reads.
func (r release) extraArgs(args map[string]string) any {
	if !r.argsAreList() {
		return args
	}
	var list []argument
	for _, name := range slices.Sorted(maps.Keys(args)) {
		list = append(list, argument{name, args[name]})
	}
	return list
}

// render writes documents as one YAML stream, with a comment at the top.
func render(comment string, documents ...any) ([]byte, error) {
	const indent = 2
	var b bytes.Buffer
	b.WriteString(comment)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(indent)
	var errs []error
	for _, d := range documents {
		errs = append(errs, enc.Encode(d))
	}
	if err := errors.Join(append(errs, enc.Close())...); err != nil {
		return nil, fmt.Errorf("cannot render the configuration of kubeadm: %w", err)
	}
	return b.Bytes(), nil
}
