package image_test

import (
	"fmt"
	"testing"

	"kubecrate/pkg/image"
)

// TestCPU: an image says by its variant or its base what processor it needs.
func TestCPU(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ arch, variant, component, name, want string }{
		{"amd64", "", "", "", ""},
		{"amd64", "v1", "", "", ""},
		{"amd64", "v2", "", "", "x86-64-v2"},
		{"amd64", "v3", "ubi9-container", "", "x86-64-v3"},
		{"arm64", "v8", "ubi9-container", "", ""},
		{"amd64", "", "ubi8-minimal-container", "ubi8/ubi-minimal", ""},
		{"amd64", "", "ubi9-minimal-container", "", "x86-64-v2"},
		{"amd64", "", "", "ubi10/ubi", "x86-64-v3"},
		{"amd64", "", "", "rhel9", "x86-64-v2"},
		{"amd64", "", "", "elastic9", ""},
		{"amd64", "", "", "ubi90", ""},
	} {
		text := fmt.Sprintf(`{"architecture": %q, "variant": %q, "os": "linux", "config": {"Labels": {"com.redhat.component": %q, "name": %q}}, "rootfs": {"type": "layers", "diff_ids": []}}`,
			c.arch, c.variant, c.component, c.name)
		config, err := image.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.CPU(); got != c.want {
			t.Errorf("%+v needs %q", c, got)
		}
	}
}
