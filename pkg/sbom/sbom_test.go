package sbom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/nevra/nevratest"
	"kubecrate/pkg/sbom"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	l := &manifest.Lock{
		Name: "test", Platform: manifest.Platform{Family: "el7", Arch: "amd64"},
		Packages: []manifest.LockedPackage{{NEVRA: nevratest.Parse("container-selinux-2:2.119.2-1.el7.noarch"), URL: "https://example.org/c.rpm", SHA256: strings.Repeat("a", 64)}},
		Images:   []manifest.LockedImage{{Name: "k8s.gcr.io/pause:3.1", Digest: "sha256:" + strings.Repeat("b", 64)}},
		Files:    []manifest.LockedFile{{Path: "manifests/f.yml", URL: "f.yml", SHA256: strings.Repeat("c", 64)}},
	}
	got, err := sbom.Document(l, strings.Repeat("d", 64), "kubecrate-test", map[string]string{"container-selinux-2:2.119.2-1.el7.noarch": "signed by Somebody"})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		SPDXVersion string `json:"spdxVersion"`
		Packages    []struct {
			SPDXID       string
			Name         string
			VersionInfo  string
			Comment      string
			ExternalRefs []struct{ ReferenceLocator string }
		}
		Relationships []struct{ RelatedSpdxElement string }
	}
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || len(doc.Packages) != 3 || len(doc.Relationships) != 3 {
		t.Fatalf("got %+v", doc)
	}
	if p := doc.Packages[0]; p.VersionInfo != "2:2.119.2-1.el7" || p.Comment != "signed by Somebody" ||
		p.ExternalRefs[0].ReferenceLocator != "pkg:rpm/container-selinux@2.119.2-1.el7?arch=noarch&distro=el7&epoch=2" {
		t.Errorf("rpm is %+v", p)
	}
	if p := doc.Packages[1]; p.ExternalRefs[0].ReferenceLocator != "pkg:oci/pause@sha256%3A"+strings.Repeat("b", 64)+"?repository_url=k8s.gcr.io%2Fpause&tag=3.1" {
		t.Errorf("image is %+v", p)
	}
	again, err := sbom.Document(l, strings.Repeat("d", 64), "kubecrate-test", map[string]string{"container-selinux-2:2.119.2-1.el7.noarch": "signed by Somebody"})
	if err != nil || !bytes.Equal(got, again) {
		t.Errorf("two documents of one lock differ: %v", err)
	}
}

// TestSigners: what Document writes of a signature is read again, by the sum of the
// package; what is no fingerprint is no signer.
func TestSigners(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0123456789ABCDEF", 4)[:40]
	l := &manifest.Lock{Name: "test", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}}
	said := map[string]string{}
	for name, comment := range map[string]string{
		"signed":   "signed by " + key + " with key 89ABCDEF01234567, V3 RSA/SHA256 of 2020-03-13",
		"checked":  "signature not checked, payload sha256:00",
		"strange":  "signed by \x1b[31mSomebody",
		"too-long": "signed by " + key + "0",
	} {
		id := name + "-1-1.noarch"
		said[id] = comment
		l.Packages = append(l.Packages, manifest.LockedPackage{NEVRA: nevratest.Parse(id), URL: "https://example.org/c.rpm", SHA256: fmt.Sprintf("%064x", name)[:64]})
	}
	text, err := sbom.Document(l, strings.Repeat("d", 64), "kubecrate-test", said)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sbom.Signers(text, l)
	if want := map[string]string{"signed-1-1.noarch": key}; err != nil || !maps.Equal(got, want) {
		t.Errorf("signers are %v, %v, want %v", got, err, want)
	}
	if _, err := sbom.Signers([]byte("{"), l); err == nil {
		t.Error("half a document is read")
	}
}
