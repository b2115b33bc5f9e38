package image

import (
	"fmt"
	"strings"
	"testing"
)

func TestPulled(t *testing.T) {
	t.Parallel()
	const text = `apiVersion: v1
kind: Pod
spec:
  initContainers:
  - {name: a, image: "a/always:1", imagePullPolicy: Always}
  - {name: a2, image: "a/always:1", imagePullPolicy: Always}
  containers:
  - {name: b, image: b/untagged}
  - {name: c, image: "c/latest:latest", imagePullPolicy: IfNotPresent}
  - {name: d, image: "d/tagged:1"}
  - {name: e, image: "e/pinned@sha256:` + "%s" + `"}
  - {name: f, imagePullPolicy: Always}
  - {name: h, image: "h/never", imagePullPolicy: Never}
  volumes:
  - {name: v, image: {reference: "g/volume:1", pullPolicy: Always}}
`
	got, err := Pulled(strings.NewReader(fmt.Sprintf(text, strings.Repeat("ab", 32))))
	if err != nil {
		t.Fatal(err)
	}
	if want := "[{a/always:1 5} {b/untagged:latest 8} {g/volume:1 15}]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if _, err := Pulled(strings.NewReader("a: {containers: [{image: A B}]}")); err == nil {
		t.Error("what is not a name was taken")
	}
}
