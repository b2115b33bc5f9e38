package hostreport

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Limits of what a host stores about others, whatever reports it reads.
const (
	MaxKnown     = 1024 // hosts
	maxKnownMACs = 16   // of one host
	maxShared    = 16   // hosts with the same MAC
)

// KnownHost is what a host stores of another's report to recognize it: its identity
// and its key.
type KnownHost struct {
	Hostname    string    `json:"hostname"`
	Time        time.Time `json:"time"`
	ProductUUID string    `json:"productUUID,omitempty"`
	MachineID   string    `json:"machineID,omitempty"`
	MACs        []string  `json:"macs"`
	Key         string    `json:"key"`
	KeySince    time.Time `json:"keySince"`
}

// known returns what is stored of r.
func (r *Report) known() KnownHost {
	macs := r.MACs()
	return KnownHost{
		Hostname: r.Hostname, Time: r.Time, ProductUUID: r.ProductUUID, MachineID: r.MachineID,
		MACs: macs[:min(len(macs), maxKnownMACs)], Key: r.Key, KeySince: r.KeySince,
	}
}

// same reports whether both are the same machine, as facts.Facts.Same does.
func (k *KnownHost) same(o *KnownHost) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return !differ(k.ProductUUID, o.ProductUUID) && !differ(k.MachineID, o.MachineID) &&
		slices.ContainsFunc(k.MACs, func(m string) bool { return slices.Contains(o.MACs, m) })
}

// KnownHosts are the hosts whose reports were read, at most MaxKnown. The zero value
// is empty.
type KnownHosts struct {
	list  []KnownHost
	byMAC map[string][]int // indexes of list
}

// ParseKnownHosts reads what Marshal wrote.
func ParseKnownHosts(text []byte) (*KnownHosts, error) {
	var list []KnownHost
	if err := json.Unmarshal(text, &list); err != nil {
		return &KnownHosts{}, fmt.Errorf("cannot parse the known hosts: %w", err)
	}
	k := &KnownHosts{}
	for _, h := range list {
		h.MACs = h.MACs[:min(len(h.MACs), maxKnownMACs)]
		k.add(h)
	}
	return k, nil
}

// Marshal returns k as JSON, deterministically.
func (k *KnownHosts) Marshal() ([]byte, error) {
	text, err := json.Marshal(append([]KnownHost{}, k.list...))
	if err != nil {
		return nil, fmt.Errorf("cannot write the known hosts: %w", err)
	}
	return text, nil
}

// like returns the indexes of the known hosts that are the same machine as h.
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

// Mismatch says why r may not come from the host that it names: the host is known
// with another key, and the report's key is older than the host's last report. A host
// that was reset has a newer key. "" means no mismatch.
func (k *KnownHosts) Mismatch(r *Report) string {
	h := r.known()
	for _, i := range k.like(&h) {
		before := k.list[i]
		at := before.Time.UTC().Format(time.RFC3339)
		switch {
		case before.Key == "" || r.Key == before.Key:
		case r.Key == "":
			return fmt.Sprintf("%s is not signed, but an earlier one of that host from %s was", r.describe(), at)
		case r.KeySince.Before(before.Time):
			return fmt.Sprintf("%s is signed with another key than the one of that host from %s, and the key is not from a later reset", r.describe(), at)
		}
	}
	return ""
}

// Learn stores the host of r, replacing what was known of it. It returns false if the
// limit is reached: known hosts are not dropped for new ones.
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

// index enters the host at i under its MAC addresses. One that more than maxShared
// hosts claim does not identify any more of them.
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
