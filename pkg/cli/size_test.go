package cli

import "testing"

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": 0, "17": 17, "3900M": 3900e6, "4Gi": 4 << 30, "1k": 1000, "2MB": 2e6, "64KiB": 64 << 10,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "-1", "0", "1.5G", "99999999999T", "M"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}
