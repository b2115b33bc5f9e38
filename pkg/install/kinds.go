package install

import (
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/vip"
)

// kinds is the table of all steps that an installation, or a verb after it, can
// consist of. A step is listed nowhere else: steps makes them, Reset finds in the
// journal which of them were begun.
func kinds(report progress.Func) step.Kinds {
	return slices.Concat(prep.Kinds(), distro.Kinds(report), cri.Kinds(report), vip.Kinds(), kubeadm.Kinds(report), cni.Kinds())
}
