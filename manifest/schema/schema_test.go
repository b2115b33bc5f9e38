package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"kubecrate/manifest"
)

var update = flag.Bool("update", false, "write bundle.schema.json anew")

// TestCurrent holds the committed schema to the types.
func TestCurrent(t *testing.T) {
	got, err := generate(manifest.Words{})
	if err != nil {
		t.Fatal(err)
	}
	const file = "bundle.schema.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say: go test ./manifest/schema -update", file)
	}
}

// TestStrict finds that every object refuses unknown keys and every property
// says what it is for.
func TestStrict(t *testing.T) {
	var s any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	objects := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if props, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
				objects++
				if v["additionalProperties"] != false {
					t.Errorf("%s takes unknown keys", at)
				}
				for name, p := range props {
					if m, ok := p.(map[string]any); !ok || m["description"] == nil {
						t.Errorf("%s.%s has no description", at, name)
					}
				}
			}
			for k, x := range v {
				walk(at+"."+k, x)
			}
		case []any:
			for _, x := range v {
				walk(at+"[]", x)
			}
		}
	}
	walk("", s)
	if objects != 7 {
		t.Errorf("%d objects, want 7: manifest, platform, packages, repo, images, image, file", objects)
	}
}
