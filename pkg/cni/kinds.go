package cni

import "kubecrate/pkg/step"

// Kinds are the kinds of this package's steps. What they make goes with the
// cluster.
func Kinds() step.Kinds { return step.Plain(&dns{}, &network{}) }
