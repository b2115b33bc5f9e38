//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/image"
	"kubecrate/test/e2e/lab"
)

// published is the manifest of a network whose programs the lab has not.
type published struct {
	network string
	file    string // beside the repository
	text    []byte
}

// publishedNetworks reads them, or skips where they do not lie there.
func publishedNetworks(t *testing.T) []published {
	t.Helper()
	list := []published{
		{network: "calico", file: "calico-v3.15.0.yaml"},
		{network: "calico", file: "calico-v3.14.2-private-registry.yaml"},
		{network: "canal", file: "canal-v3.15.0.yaml"},
		{network: "canal", file: "canal-v3.16.1.yaml"},
	}
	data := lab.SharedData(".")
	if data == "" {
		t.Skip("the manifests of calico and canal do not lie beside the repository, in shared/data/manifests")
	}
	for i, p := range list {
		text, err := os.ReadFile(filepath.Join(data, "manifests", p.file))
		if err != nil {
			t.Fatal(err)
		}
		if p.file == "canal-v3.15.0.yaml" {
			// Somebody has made v1beta1 of its CRDs, which no API server takes with
			// schemas such as these; published, and in calico-v3.15.0, they are v1.
			text = []byte(strings.ReplaceAll(string(text), "apiVersion: apiextensions.k8s.io/v1beta1", "apiVersion: apiextensions.k8s.io/v1"))
		}
		list[i].text = text
	}
	return list
}

// networks puts the manifests of calico and canal, fitted to the cluster, before
// its API server, which judges every object and keeps none. kubectl runs on a
// host.
func (h *hosts) networks(kubectl func(args ...string) string) {
	t := h.t
	t.Helper()
	pods := manifest.DefaultCluster().PodCIDR
	kind := regexp.MustCompile(`(?m)^kind: `)
	for _, p := range publishedNetworks(t) {
		n, err := cni.All().For(p.network)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := n.Render(p.text, cni.Cluster{PodCIDR: netip.MustParsePrefix(pods), Arch: "amd64"})
		if err != nil {
			t.Errorf("%s: %v", p.file, err)
			continue
		}
		if !strings.Contains(string(rendered), fmt.Sprintf("- name: CALICO_IPV4POOL_CIDR\n              value: %q\n", pods)) {
			t.Errorf("%s: the pods' network is not in it", p.file)
		}
		file := filepath.Join(h.Stick, p.file)
		if err := os.WriteFile(file, rendered, 0o600); err != nil {
			t.Fatal(err)
		}
		out := kubectl("apply", "--server-dry-run", "--output=name", "--filename=/mnt/usb/"+p.file)
		if got, want := strings.Count(out, "\n"), len(kind.FindAllIndex(rendered, -1)); got != want {
			t.Errorf("%s: the API server took %d objects of %d:\n%s", p.file, got, want, out)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNetworkBundles: the images that calico's and canal's manifests name are
// found in them, fetched, and carried for every role.
func TestNetworkBundles(t *testing.T) {
	inWorld(t)
	for _, p := range publishedNetworks(t) {
		t.Run(p.file, func(t *testing.T) {
			names, err := image.Names(strings.NewReader(string(p.text)))
			if err != nil {
				t.Fatal(err)
			}
			s := newSite(t, options{images: []string{}})
			var recipes []lab.Image
			for _, name := range names {
				_, path, _ := strings.Cut(name, "/")
				if strings.HasPrefix(name, "calico/") { // of docker.io
					path = name
				}
				recipes = append(recipes, lab.Image{Name: name, Path: path, Layers: []lab.Layer{lab.Texts("network-"+strings.ReplaceAll(path, "/", "-"), [2]string{"etc/name", name + "\n"})}})
			}
			r, err := s.Filled(t.Context(), "network-"+strings.TrimSuffix(p.file, ".yaml"), recipes)
			if err != nil {
				t.Fatal(err)
			}
			if s.hub, err = s.Before(r); err != nil {
				t.Fatal(err)
			}
			s.write("network.yaml", string(p.text))
			s.write("lab.yaml", s.manifest(options{images: []string{},
				extra: fmt.Sprintf("  - {url: ./network.yaml, path: manifests/%[1]s.yaml, network: %[1]s, images: true, roles: [master]}\n", p.network)}))
			path := s.mustBuild("--level", "fast", "--set", "network="+p.network, "--mirror", "harbor.example.com="+s.hub.Addr)
			l := &loading{site: s}
			l.opened(path, func(_ *archive.Reader, lock *manifest.Lock) {
				var got []string
				for _, img := range lock.Images {
					got = append(got, img.Name)
					if len(img.Roles) > 0 {
						t.Errorf("%s is for %v only", img.Name, img.Roles)
					}
				}
				if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
					t.Errorf("the bundle has %v, the manifest names %v", got, names)
				}
			})
		})
	}
}
