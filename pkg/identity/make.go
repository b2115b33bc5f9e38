package identity

import (
	"io"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
	"kubecrate/pkg/table"
)

// Made is what was written. It holds no secret.
type Made struct {
	Files    []string        `json:"files"`
	Cluster  string          `json:"cluster"`
	Endpoint string          `json:"endpoint"`
	CAHash   string          `json:"caHash"`
	Expires  string          `json:"expires"`
	Hosts    []manifest.Host `json:"hosts"`
}

// Make makes the identity of the cluster that place.From describes and writes it to
// place.Dir, sealed with the passphrase that ask gives once the description is
// known to be right.
func Make(place Place, o Options, ask func() (string, error)) (*Made, error) {
	cluster, err := manifest.ReadCluster(media.Named(place.From))
	if err != nil {
		return nil, err
	}
	if err := Complete(cluster); err != nil {
		return nil, err
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	if err := CheckPassphrase([]byte(passphrase)); err != nil {
		return nil, hint.With(err, "use four or five unrelated words")
	}
	id, err := New(cluster, o)
	if err != nil {
		return nil, err
	}
	sealed, err := id.Seal([]byte(passphrase), 0)
	if err != nil {
		return nil, err
	}
	made := &Made{
		Cluster: cluster.Name, Endpoint: id.Ticket.Endpoint, CAHash: id.Ticket.CACertHashes[0],
		Expires: id.Ticket.Expires, Hosts: cluster.Hosts,
	}
	if err := archive.MakeDir(place.Dir); err != nil {
		return nil, err
	}
	made.Files, err = id.Write(place, cluster, sealed)
	return made, err
}

// WriteText prints m and what to do with it.
func (m *Made) WriteText(w io.Writer) error {
	out := table.New(w)
	for _, f := range m.Files {
		out.Line("wrote %s", f)
	}
	out.Line("cluster %s at %s, CA %s", m.Cluster, m.Endpoint, m.CAHash)
	for i, h := range m.Hosts {
		out.Line("%2d\t%s\t%s\t%s", i+1, h.Name, h.Address, h.Role)
	}
	out.Line("hosts can join until %s; anyone with join.yaml can, so keep the stick safe", m.Expires)
	out.Line("next: on every host, in any order: ./install; masters ask for the passphrase")
	return out.Flush()
}
