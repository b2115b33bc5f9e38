package netfilter

import (
	"regexp"
	"strings"
)

// Dropping lists the chains of nft list ruleset that handle incoming or forwarded
// packets and drop or reject what no earlier rule accepts. Tables that iptables
// shows as well are omitted.
func Dropping(ruleset string) []string {
	var found []string
	table, chain, hooked, drops := "", "", false, false
	end := regexp.MustCompile(`^(counter packets \d+ bytes \d+ )?(drop|reject.*)$`)
	for line := range strings.Lines(ruleset) {
		text := strings.TrimSpace(line)
		words := strings.Fields(text)
		switch {
		case len(words) == 0:
		case words[0] == "table" && len(words) > 2:
			table = words[1] + " " + words[2]
		case words[0] == "chain" && len(words) > 1:
			chain, hooked, drops = words[1], false, false
		case words[0] == "type" && strings.Contains(text, "hook"):
			hooked = strings.Contains(text, "hook input") || strings.Contains(text, "hook forward")
			drops = strings.Contains(text, "policy drop")
		case text == "}" && chain != "":
			if hooked && drops && table != "ip filter" && table != "ip6 filter" {
				found = append(found, table+" "+chain)
			}
			chain = ""
		case chain != "" && end.MatchString(text):
			drops = true
		}
	}
	return found
}
