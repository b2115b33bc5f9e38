package prep

import "strings"

// A block is what is ours in a file of others: everything outside stays as it is.
const (
	blockBegin = "# BEGIN kubecrate\n"
	blockEnd   = "# END kubecrate\n"
)

// withBlock puts body, whole lines, in place of the block of text, or behind
// it. An empty body takes the block out.
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

// outsideBlock is text without the block.
func outsideBlock(text string) string { return withBlock(text, "") }
