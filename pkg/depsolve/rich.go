package depsolve

import (
	"errors"
	"fmt"
	"strings"

	"kubecrate/pkg/nevra"
)

// Bounds on a rich dependency; real ones have a few operands.
const (
	maxRichLength = 1 << 14
	maxRichDepth  = 32
)

// richNode is a parsed boolean dependency: a relation, or an operator over
// operands. "if" and "unless" have two operands or, with else, three.
//
// Source of grammar and meaning: rpm, docs/manual/boolean_dependencies.md.
type richNode struct {
	op   string // "" for a relation
	rel  nevra.Relation
	kids []*richNode
}

var errRich = errors.New("malformed boolean dependency")

// parseRich reads the name of a relation that starts with "(".
func parseRich(text string) (*richNode, error) {
	if len(text) > maxRichLength {
		return nil, fmt.Errorf("cannot read a dependency of %d bytes: %w", len(text), errRich)
	}
	p := richParser{rest: text}
	n, err := p.group(0)
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = fmt.Errorf("%w: %q follows its end", errRich, p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", text, err)
	}
	return n, nil
}

type richParser struct{ rest string }

func (p *richParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

// word cuts a word: up to white space or a parenthesis that closes a group and
// not one opened within the word, as in "libz.so.1()(64bit)".
func (p *richParser) word() string {
	p.skip()
	depth := 0
	for i := range len(p.rest) {
		switch p.rest[i] {
		case ' ', '\t', '\n':
			return p.cut(i)
		case '(':
			depth++
		case ')':
			if depth == 0 {
				return p.cut(i)
			}
			depth--
		}
	}
	return p.cut(len(p.rest))
}

func (p *richParser) cut(i int) string {
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return w
}

// group reads "(" operand [operator operand]... ")".
func (p *richParser) group(depth int) (*richNode, error) {
	if depth > maxRichDepth {
		return nil, fmt.Errorf("%w: nested too deeply", errRich)
	}
	p.skip()
	if !strings.HasPrefix(p.rest, "(") {
		return nil, fmt.Errorf("%w: want ( at %q", errRich, p.rest)
	}
	p.rest = p.rest[1:]
	first, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	n := &richNode{kids: []*richNode{first}}
	for {
		p.skip()
		if strings.HasPrefix(p.rest, ")") {
			p.rest = p.rest[1:]
			if len(n.kids) == 1 {
				return first, nil
			}
			return n, nil
		}
		if err := p.operator(n); err != nil {
			return nil, err
		}
		kid, err := p.operand(depth)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
	}
}

// operator reads the operator before the next operand of n and checks that it
// may stand there.
func (p *richParser) operator(n *richNode) error {
	op := p.word()
	switch count := len(n.kids); {
	case count == 1 && (op == "and" || op == "or" || op == "if" || op == "unless" || op == "with" || op == "without"):
		n.op = op
		return nil
	case count >= 2 && op == n.op && (op == "and" || op == "or" || op == "with"):
		return nil
	case count == 2 && op == "else" && (n.op == "if" || n.op == "unless"):
		return nil
	}
	return fmt.Errorf("%w: unexpected operator %q", errRich, op)
}

func (p *richParser) operand(depth int) (*richNode, error) {
	p.skip()
	if strings.HasPrefix(p.rest, "(") {
		return p.group(depth + 1)
	}
	r := nevra.Relation{Name: p.word()}
	if r.Name == "" {
		return nil, fmt.Errorf("%w: an operand is missing at %q", errRich, p.rest)
	}
	before := p.rest
	if op, ok := nevra.ParseOp(p.word()); ok {
		version := p.word()
		if version == "" {
			return nil, fmt.Errorf("%w: %s %s lacks a version", errRich, r.Name, op)
		}
		r.Op, r.EVR = op, nevra.ParseEVR(version)
	} else {
		p.rest = before
	}
	return &richNode{rel: r}, nil
}
