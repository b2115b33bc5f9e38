package netfilter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Table is the table filter as iptables-save prints it: policies and rules by
// chain.
type Table struct {
	policies map[string]string
	rules    map[string][][]string // the words after "-A CHAIN"
}

// Packet is the first packet of a connection. Out is "" for one to the host itself.
type Packet struct {
	Source   netip.Addr
	In, Out  string // interfaces
	Protocol string
	Port     int // destination
}

// Verdict is what a table does with a packet. By is the rule or the policy that
// decided, as iptables-save prints it. Unsure means that this rule or one before it
// has conditions that are not supported here.
type Verdict struct {
	Dropped, Policy, Unsure bool
	By                      string
}

// Parse reads the output of iptables-save: the table filter, or one without a name.
func Parse(saved string) Table {
	t := Table{policies: map[string]string{}, rules: map[string][][]string{}}
	table := "filter"
	for line := range strings.Lines(saved) {
		words := split(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case strings.HasPrefix(words[0], "*"):
			table = words[0][1:]
		case table != "filter":
		case Chain(words) != "" && len(words) > 1:
			t.policies[Chain(words)] = words[1]
		case words[0] == "-A" && len(words) > 1:
			t.rules[words[1]] = append(t.rules[words[1]], words[2:])
		}
	}
	return t
}

// split splits a line at blanks; quotes keep a comment together.
func split(line string) []string {
	var words []string
	for i, part := range strings.Split(strings.ReplaceAll(line, `\"`, ""), `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// Input is the verdict on a packet to the host itself.
func (t Table) Input(p Packet) Verdict { return t.from("INPUT", p) }

// Forward is the verdict on a packet that the host forwards.
func (t Table) Forward(p Packet) Verdict { return t.from("FORWARD", p) }

func (t Table) from(chain string, p Packet) Verdict {
	var v Verdict
	const deep = 20 // jumps; iptables allows no loops
	if t.walk(chain, p, &v, deep) {
		return v
	}
	if policy := t.policies[chain]; policy == "DROP" {
		v.Dropped, v.Policy, v.By = true, true, "-P "+chain+" DROP"
	}
	return v
}

// walk follows a chain, and reports whether a rule decided.
func (t Table) walk(chain string, p Packet, v *Verdict, deep int) bool {
	for _, rule := range t.rules[chain] {
		m, target := p.matches(rule)
		switch {
		case m == no || target == "":
			continue
		case m == unknown && target != "DROP" && target != "REJECT":
			v.Unsure = true // it might have been accepted here, or come back
			continue
		case m == unknown:
			continue // a drop on a condition that an ordinary packet does not meet
		}
		switch target {
		case "ACCEPT":
			return true
		case "DROP", "REJECT":
			v.Dropped, v.By = true, strings.Join(append([]string{"-A", chain}, rule...), " ")
			return true
		case "RETURN":
			return false
		}
		if _, own := t.policies[target]; own && deep > 0 && t.walk(target, p, v, deep-1) {
			return true
		}
	}
	return false
}

// answer says whether a packet meets the conditions of a rule.
type answer int

const (
	no answer = iota
	yes
	unknown
)

// matches compares a packet with a rule, whose target it returns.
func (p Packet) matches(rule []string) (answer, string) {
	result, not := yes, false
	for i := 0; i < len(rule); i++ {
		flag := rule[i]
		if flag == "!" {
			not = true
			continue
		}
		if flag == "-j" || flag == "-g" {
			return result, Value(rule[i:], flag)
		}
		value := ""
		if i+1 < len(rule) {
			value = rule[i+1]
		}
		m := p.meets(flag, value)
		if not && m != unknown {
			m = yes - m
		}
		not = false
		if m == no {
			return no, ""
		}
		if m == unknown {
			result = unknown
		}
		i++
		for i+1 < len(rule) && !strings.HasPrefix(rule[i+1], "-") && rule[i+1] != "!" {
			i++ // further values, as of --tcp-flags
		}
	}
	return result, ""
}

// meets evaluates one condition.
func (p Packet) meets(flag, value string) answer {
	is := func(ok bool) answer {
		if ok {
			return yes
		}
		return no
	}
	switch flag {
	case "-m", "--match", "--comment":
		return yes
	case "-p":
		return is(value == p.Protocol || value == "all")
	case "-i":
		return is(named(p.In, value))
	case "-o":
		return is(p.Out != "" && named(p.Out, value))
	case "-s":
		prefix, err := netip.ParsePrefix(value)
		return is(err == nil && prefix.Contains(p.Source))
	case "--dport", "--dports":
		return is(holds(value, p.Port))
	case "--state", "--ctstate":
		return is(slices.Contains(strings.Split(value, ","), "NEW"))
	case "--dst-type":
		return is((value == "LOCAL") == (p.Out == ""))
	}
	return unknown
}

// named reports whether an interface matches an iptables pattern such as "eth+".
func named(iface, pattern string) bool {
	if begin, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(iface, begin)
	}
	return iface == pattern
}

// holds reports whether ports, "22,8000:8100", contain port.
func holds(ports string, port int) bool {
	for word := range strings.SplitSeq(ports, ",") {
		first, last, ok := strings.Cut(word, ":")
		low, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		high := low
		if ok {
			if high, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		if low <= port && port <= high {
			return true
		}
	}
	return false
}
