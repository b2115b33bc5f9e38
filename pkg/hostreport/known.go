package hostreport

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Limits of what a host keeps of others. They hold whatever reports it has seen.
const (
	MaxKnown     = 1024 // hosts
	maxKnownMACs = 16   // of one host
	maxShared    = 16   // hosts with the same MAC
)

// KnownHost is what a host keeps of another's report to know it again: what tells
// the two apart, and the key.
type KnownHost struct {
	Hostname    string    `json:"hostname"`
	Time        time.Time `json:"time"`
	ProductUUID string    `json:"productUUID,omitempty"`
	MachineID   string    `json:"machineID,omitempty"`
	MACs        []string  `json:"macs"`
	Key         string    `json:"key"`
	KeySince    time.Time `json:"keySince"`
}

// known is what is kept of r.
func (r *Report) known() KnownHost {
	macs := r.MACs()
	return KnownHost{
		Hostname: r.Hostname, Time: r.Time, ProductUUID: r.ProductUUID, MachineID: r.MachineID,
		MACs: macs[:min(len(macs), maxKnownMACs)], Key: r.Key, KeySince: r.KeySince,
	}
}

// same says that both are the same machine, as facts.Facts.Same does.
func (k *KnownHost) same(o *KnownHost) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return !differ(k.ProductUUID, o.ProductUUID) && !differ(k.MachineID, o.MachineID) &&
		slices.ContainsFunc(k.MACs, func(m string) bool { return slices.Contains(o.MACs, m) })
}

// KnownHosts are the hosts that were seen, at most MaxKnown of them. The zero
// value knows none.
type KnownHosts struct {
	list  []KnownHost
	byMAC map[string][]int // indexes of list
}

// ParseKnownHosts reads what Marshal wrote.
func ParseKnownHosts(text []byte) (*KnownHosts, error) {
	var list []KnownHost
	if err := json.Unmarshal(text, &list); err != nil {
		return &KnownHosts{}, fmt.Errorf("cannot read the known hosts: %w", err)
	}
	k := &KnownHosts{}
	for _, h := range list {
		h.MACs = h.MACs[:min(len(h.MACs), maxKnownMACs)]
		k.add(h)
	}
	return k, nil
}

// Marshal is k in a form that does not depend on chance.
func (k *KnownHosts) Marshal() ([]byte, error) {
	text, err := json.Marshal(append([]KnownHost{}, k.list...))
	if err != nil {
		return nil, fmt.Errorf("cannot write the known hosts: %w", err)
	}
	return text, nil
}

// like are the indexes of the known hosts that are the same machine as h.
func (k *KnownHosts) like(h *KnownHost) []int {
	var found []int
	for _, mac := range h.MACs {
		for _, i := range k.byMAC[mac] {
			if !slices.Contains(found, i) && k.list[i].same(h) {
				found = append(found, i)
			}
		}
	}
	return found
}

// Mismatch says why r may not be by the host that it names: that is known by
// another key, which is older than its last report. A host that was reset has a
// new key. "" is no mismatch.
func (k *KnownHosts) Mismatch(r *Report) string {
	h := r.known()
	for _, i := range k.like(&h) {
		before := k.list[i]
		at := before.Time.UTC().Format(time.RFC3339)
		switch {
		case before.Key == "" || r.Key == before.Key:
		case r.Key == "":
			return fmt.Sprintf("%s is not signed, and the one of this host from %s was", r.describe(), at)
		case r.KeySince.Before(before.Time):
			return fmt.Sprintf("%s is signed by another key than the one of this host from %s, and no reset explains it", r.describe(), at)
		}
	}
	return ""
}

// Learn keeps what r says of its host, in place of what was known of it. It is
// false where no more hosts are kept: those that are known are not forgotten for
// new ones.
func (k *KnownHosts) Learn(r *Report) bool {
	h := r.known()
	old := k.like(&h)
	if len(old) == 0 {
		return k.add(h)
	}
	k.list[old[0]] = h
	k.index(old[0])
	return true
}

func (k *KnownHosts) add(h KnownHost) bool {
	if len(h.MACs) == 0 || len(k.list) == MaxKnown {
		return false
	}
	k.list = append(k.list, h)
	k.index(len(k.list) - 1)
	return true
}

// index makes the host at i found by its hardware addresses. One that very many
// hosts claim tells none of them.
func (k *KnownHosts) index(i int) {
	if k.byMAC == nil {
		k.byMAC = map[string][]int{}
	}
	for _, mac := range k.list[i].MACs {
		if have := k.byMAC[mac]; len(have) < maxShared && !slices.Contains(have, i) {
			k.byMAC[mac] = append(have, i)
		}
	}
}
