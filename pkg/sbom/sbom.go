// Package sbom writes what a bundle holds as an SPDX 2.3 document.
package sbom

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/credential"
	"kubecrate/pkg/imageref"
)

// document is the part of SPDX 2.3 that is written here.
//
// Source: https://spdx.github.io/spdx-spec/v2.3/
type document struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creation       `json:"creationInfo"`
	Packages          []pkg          `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type pkg struct {
	SPDXID           string     `json:"SPDXID"`
	Name             string     `json:"name"`
	VersionInfo      string     `json:"versionInfo,omitempty"`
	DownloadLocation string     `json:"downloadLocation"`
	FilesAnalyzed    bool       `json:"filesAnalyzed"`
	LicenseConcluded string     `json:"licenseConcluded"`
	LicenseDeclared  string     `json:"licenseDeclared"`
	CopyrightText    string     `json:"copyrightText"`
	Checksums        []checksum `json:"checksums,omitempty"`
	ExternalRefs     []ref      `json:"externalRefs,omitempty"`
	Comment          string     `json:"comment,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type ref struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// created is fixed, so that one lock gives one document; SPDX asks for a date.
const created = "1980-01-01T00:00:00Z"

// Document is the SPDX document of what l pins, as JSON. lockSHA256 makes its
// namespace unique; tool is the program's name and version. signers says by
// NEVRA who signed a package.
func Document(l *manifest.Lock, lockSHA256, tool string, signers map[string]string) ([]byte, error) {
	doc := document{
		SPDXVersion:       "SPDX-2.3",
		DataLicense:       "CC0-1.0",
		SPDXID:            "SPDXRef-DOCUMENT",
		Name:              l.Name + "-" + l.Platform.Arch,
		DocumentNamespace: "https://kubecrate.dev/spdx/" + url.PathEscape(l.Name) + "-" + lockSHA256,
		CreationInfo:      creation{Created: created, Creators: []string{"Tool: " + tool}},
	}
	for i, p := range l.Packages {
		part := rpmPackage(l.Platform.Family, p)
		part.Comment = signers[p.NEVRA.String()]
		doc.add(fmt.Sprintf("SPDXRef-rpm-%d", i), part)
	}
	for i, img := range l.Images {
		doc.add(fmt.Sprintf("SPDXRef-image-%d", i), imagePackage(img))
	}
	for i, f := range l.Files {
		doc.add(fmt.Sprintf("SPDXRef-file-%d", i), pkg{
			Name: f.Path, DownloadLocation: location(f.URL), Checksums: []checksum{{"SHA256", f.SHA256}},
		})
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the SPDX document: %w", err)
	}
	return append(out, '\n'), nil
}

func (d *document) add(id string, p pkg) {
	p.SPDXID = id
	p.LicenseConcluded, p.LicenseDeclared, p.CopyrightText = "NOASSERTION", "NOASSERTION", "NOASSERTION"
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, relationship{"SPDXRef-DOCUMENT", "DESCRIBES", id})
}

func rpmPackage(family string, p manifest.LockedPackage) pkg {
	n := p.NEVRA
	purl := fmt.Sprintf("pkg:rpm/%s@%s-%s?arch=%s&distro=%s", url.PathEscape(n.Name), url.PathEscape(n.Version), url.PathEscape(n.Release), n.Arch, family)
	if n.Epoch != "" && n.Epoch != "0" {
		purl += "&epoch=" + n.Epoch
	}
	return pkg{
		Name: n.Name, VersionInfo: n.EVR.String(), DownloadLocation: location(p.URL),
		Checksums:    []checksum{{"SHA256", p.SHA256}},
		ExternalRefs: []ref{{"PACKAGE-MANAGER", "purl", purl}},
	}
}

func imagePackage(img manifest.LockedImage) pkg {
	name := imageref.Split(img.Name)
	purl := fmt.Sprintf("pkg:oci/%s@%s?repository_url=%s&tag=%s", name.Base(), url.QueryEscape(img.Digest), url.QueryEscape(name.Repository), url.QueryEscape(name.Version()))
	return pkg{
		Name: img.Name, VersionInfo: name.Version(), DownloadLocation: "NOASSERTION",
		Checksums:    []checksum{{"SHA256", strings.TrimPrefix(img.Digest, "sha256:")}},
		ExternalRefs: []ref{{"PACKAGE-MANAGER", "purl", purl}},
	}
}

// location is where a thing was downloaded from, as far as SPDX knows the
// scheme; a local path says nothing to others, and a secret is not for them.
func location(u string) string {
	if clean := credential.Strip(u); strings.HasPrefix(clean, "https://") || strings.HasPrefix(clean, "http://") {
		return clean
	}
	return "NOASSERTION"
}
