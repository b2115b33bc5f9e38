// Package image handles container images without a network: their names, the
// images that a YAML file names, the OCI layout of an archive, and a stream of some
// of them for a runtime to load.
//
// An archive's images/ is an OCI image layout (image-spec 1.0, image-layout.md)
// that also holds docker's manifest.json, so that docker, containerd and skopeo
// each find what they look for:
//
//	images/oci-layout
//	images/index.json       one descriptor per image, named by annotations
//	images/manifest.json    what docker load reads
//	images/blobs/sha256/    manifests, configs, layers
//
// Layers are raw tar, stored once for each diffID, and every image has a new
// OCI manifest over them. The config, and with it the image ID, is unchanged.
// An image with KeepDigest is stored as the registry had it.
package image
