// Package suggest says how near two words are, for "did you mean".
package suggest

// longest is how many bytes of a word are worth comparing.
const longest = 128

// Distance counts the letters to insert, leave out, change or swap with their
// neighbor to make b of a (Damerau-Levenshtein, each letter touched once). Words
// of more than 128 bytes are that far from every other.
func Distance(a, b string) int {
	if a == b {
		return 0
	}
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := row[j-1]
			if a[i-1] != b[j-1] {
				cost++
			}
			next[j] = min(cost, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
