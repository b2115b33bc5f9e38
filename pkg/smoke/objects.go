package smoke

import (
	"fmt"
	"strings"
)

// The fields of Kubernetes objects that are read.
type (
	metadata struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace,omitempty"`
		Labels            map[string]string `json:"labels,omitempty"`
		DeletionTimestamp string            `json:"deletionTimestamp,omitempty"`
	}
	condition struct{ Type, Status, Reason, Message string }
	node      struct {
		Metadata metadata
		Status   struct {
			Conditions []condition
			Addresses  []struct{ Type, Address string }
			NodeInfo   struct{ KubeletVersion string }
		}
	}
	pod struct {
		Metadata metadata
		Spec     struct {
			NodeName    string
			HostNetwork bool
		}
		Status struct {
			Phase, PodIP, Reason, Message            string
			Conditions                               []condition
			InitContainerStatuses, ContainerStatuses []containerStatus
		}
	}
	containerStatus struct {
		Name, Image      string
		Ready            bool
		RestartCount     int
		State, LastState struct {
			Waiting    *struct{ Reason, Message string }
			Terminated *struct {
				Reason, Message string
				ExitCode        int
			}
		}
	}
	service struct {
		Metadata metadata
		Spec     struct {
			ClusterIP string
			Ports     []struct{ Port, NodePort int }
		}
	}
	event struct {
		Metadata        metadata
		Type            string
		Reason, Message string
		LastTimestamp   string // RFC 3339, in UTC
		InvolvedObject  struct{ Kind, Namespace, Name string }
		Source          struct{ Host string }
	}
)

// unready returns why the node is not Ready, "" if it is.
func (n *node) unready() string {
	for _, c := range n.Status.Conditions {
		if c.Type != "Ready" {
			continue
		}
		if c.Status == "True" {
			return ""
		}
		return strings.TrimSpace(c.Reason + ": " + c.Message)
	}
	return "its kubelet has not reported its status yet"
}

// address returns the address at which other hosts reach the node.
func (n *node) address() string {
	for _, a := range n.Status.Addresses {
		if a.Type == "InternalIP" {
			return a.Address
		}
	}
	return ""
}

func (p *pod) String() string { return p.Metadata.Namespace + "/" + p.Metadata.Name }

// unready returns why the pod is not Ready, "" if it is, or has succeeded.
func (p *pod) unready() string {
	if p.Status.Phase == "Succeeded" {
		return ""
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return ""
		}
	}
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if text := c.unready(); text != "" {
			return text
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status != "True" {
			return strings.TrimSpace(c.Reason + " " + c.Message)
		}
	}
	return strings.TrimSpace(strings.Join([]string{p.Status.Phase, p.Status.Reason, p.Status.Message}, " "))
}

// unready returns why the container is not ready, "" if it is.
func (c *containerStatus) unready() string {
	text := ""
	switch {
	case c.State.Waiting != nil:
		text = c.State.Waiting.Reason
		if m := c.State.Waiting.Message; m != "" {
			text += ": " + m
		}
	case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
		text = fmt.Sprintf("%s exited with code %d, %s", c.Name, c.State.Terminated.ExitCode, c.State.Terminated.Reason)
	case c.State.Terminated == nil && !c.Ready:
		text = c.Name + " is running but not ready"
	default:
		return ""
	}
	if last := c.LastState.Terminated; last != nil {
		text += fmt.Sprintf(" (it exited before with code %d, %s)", last.ExitCode, last.Reason)
	}
	return text
}

// reason returns Kubernetes's reason why the pod is not ready.
func (p *pod) reason() string {
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if c.State.Waiting != nil {
			return c.State.Waiting.Reason
		}
	}
	return p.Status.Reason
}

func (p *pod) restarts() int {
	n := 0
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		n += c.RestartCount
	}
	return n
}
