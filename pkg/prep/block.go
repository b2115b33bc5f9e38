package prep

import "strings"

// A block is install's part of a file: everything outside it stays unchanged.
const (
	blockBegin = "# BEGIN kubecrate\n"
	blockEnd   = "# END kubecrate\n"
)

// withBlock replaces the block in text with body, whole lines, or appends it. An
// empty body removes the block.
func withBlock(text, body string) string {
	before, after := text, ""
	if i := strings.Index(text, blockBegin); i >= 0 {
		before = text[:i]
		_, after, _ = strings.Cut(text[i:], blockEnd)
	}
	if body == "" {
		return before + after
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return before + blockBegin + body + blockEnd + after
}

// outsideBlock returns text without the block.
func outsideBlock(text string) string { return withBlock(text, "") }
