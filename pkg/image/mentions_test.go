package image_test

import (
	"fmt"
	"strings"
	"testing"

	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
)

// operators is YAML as storage and monitoring operators write it.
const operators = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: manager
  annotations:
    example.com/sidecar: "registry.example/mesh/proxy:1.9.2"
    kubectl.kubernetes.io/default-container: manager
spec:
  template:
    spec:
      serviceAccountName: system:serviceaccount
      containers:
      - name: manager
        image: storage.example/io/manager:v1.5.1
        command: [manager, -d, daemon, --engine-image, "storage.example/io/engine:v1.5.1", --listen=0.0.0.0:8080]
        args:
        - --config-reloader=quay.io/monitoring/reloader:v0.68.0
        - --kubelet-service=kube-system/kubelet:10250
        - --url=http://metrics.example/api:9090
        - --log=/var/log/manager:rw
        - "--time=2020-01-01T10:00:00Z"
        env:
        - {name: CSI_ATTACHER_IMAGE, value: "sig/csi-attacher:stable"}
        - {name: ENDPOINT, value: "manager-backend:9500"}
        - {name: BUSYBOX_IMAGE, value: "busybox:1.36"}
        - {name: MOUNT, value: "data/volume:ro"}
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  default.yaml: |
    share-manager: storage.example/io/share:v1.5.1
    # not this one
    provisioner: "driver.storage.example"
    backing: 'storage.example/io/backing@sha256:0123456789012345678901234567890123456789012345678901234567890123'
  rules: |
    expr: sum(rate(http_requests:rate5m[1m])) / node:cpu:sum
    path: /metrics:8080/x
  CEPH: quay.io/ceph/ceph:v17.2.6
---
apiVersion: monitoring.example/v1
kind: Prometheus
metadata: {name: k8s}
spec:
  image: quay.io/prometheus/prometheus:v2.46.0
  version: 2.46.0
  thanos: {baseImage: quay.io/thanos/thanos, version: v0.31.0}
  alert: {repository: grafana/alerts, tag: "9.5"}
  externalUrl: https://prometheus.example:9090/graph
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: {default: "quay.io/not/this:1.0"}
`

func TestMentions(t *testing.T) {
	t.Parallel()
	var got []string
	for _, m := range image.Mentions(strings.NewReader(operators)) {
		got = append(got, fmt.Sprintf("%d %s", m.Line, m.Name))
	}
	want := []string{
		"6 registry.example/mesh/proxy:1.9.2",
		"14 storage.example/io/manager:v1.5.1",
		"15 storage.example/io/engine:v1.5.1",
		"17 quay.io/monitoring/reloader:v0.68.0",
		"23 sig/csi-attacher:stable",
		"25 busybox:1.36",
		"34 storage.example/io/share:v1.5.1",
		"37 storage.example/io/backing@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		"41 quay.io/ceph/ceph:v17.2.6",
		"47 quay.io/prometheus/prometheus:v2.46.0",
		"49 quay.io/thanos/thanos:v0.31.0",
		"50 grafana/alerts:9.5",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// TestMentionsNothing: what is not YAML, or names nothing, has nothing.
func TestMentionsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a: [", "- &a [*a]", "a: {b: 1:2:3}", "x: a/b:c", "x: http://h.example/p:1", "x: 12:30", "image: 3", "tag: v1\nimage: {a: b}\n"} {
		if got := image.Mentions(strings.NewReader(text)); len(got) > 0 {
			t.Errorf("%q mentions %v", text, got)
		}
	}
}

func FuzzMentions(f *testing.F) {
	f.Add(operators)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range image.Mentions(strings.NewReader(text)) {
			if c, err := imageref.Canonical(m.Name); err != nil || c != m.Name || m.Line < 1 {
				t.Errorf("%+v: %v", m, err)
			}
		}
	})
}
