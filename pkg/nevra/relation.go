package nevra

// Op is the comparison of a Relation. The zero value is "any version".
type Op uint8

// The comparisons rpm knows, as bits, so that LE is LT|EQ.
const (
	Any Op = 0
	LT  Op = 1
	GT  Op = 2
	EQ  Op = 4
	LE     = LT | EQ
	GE     = GT | EQ
)

// String is the operator as written in a spec file, "" for Any.
func (o Op) String() string {
	switch o {
	case LT:
		return "<"
	case GT:
		return ">"
	case EQ:
		return "="
	case LE:
		return "<="
	case GE:
		return ">="
	}
	return ""
}

// Relation is one Requires, Provides, Conflicts, Obsoletes, Recommends ... of
// a package. Name is a package name, a capability, an absolute path or, where
// it starts with "(", a rich dependency.
type Relation struct {
	Name string `json:"name"`
	Op   Op     `json:"op,omitempty"`
	EVR  EVR    `json:"evr,omitzero"`
	Pre  bool   `json:"pre,omitempty"`
}

// String is the relation as written in a spec file: "name", "name >= 1:2-3".
func (r Relation) String() string {
	if r.Op == Any {
		return r.Name
	}
	return r.Name + " " + r.Op.String() + " " + r.EVR.String()
}

// Matches says whether provide satisfies r: the names are equal and the
// version ranges overlap. A side without a version overlaps everything. Where
// only one side has a release, releases are not compared, and "=", "<=" and
// ">=" of the other side match any release: "foo = 1" is provided by
// "foo < 1-5".
//
// Source: rpm 4.16 and later, rpmio/rpmver.c, rpmverOverlap; dnf agrees. EL7's
// rpm 4.11 has not that last rule, so it finds no overlap in that example.
func (r Relation) Matches(provide Relation) bool {
	if r.Name != provide.Name {
		return false
	}
	return r.overlaps(provide)
}

func (r Relation) overlaps(p Relation) bool {
	if r.Op == Any || p.Op == Any || r.EVR == (EVR{}) || p.EVR == (EVR{}) {
		return true
	}
	sense := p.EVR.compareEV(r.EVR)
	if sense == 0 {
		switch {
		case p.EVR.Release != "" && r.EVR.Release != "":
			sense = Vercmp(p.EVR.Release, r.EVR.Release)
		case p.EVR.Release != "" && r.Op&EQ != 0, r.EVR.Release != "" && p.Op&EQ != 0:
			return true
		}
	}
	switch {
	case sense < 0:
		return p.Op&GT != 0 || r.Op&LT != 0
	case sense > 0:
		return p.Op&LT != 0 || r.Op&GT != 0
	}
	return p.Op&r.Op != 0
}
