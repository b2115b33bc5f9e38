package cli

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestResult(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	type status struct {
		Steps []string `json:"steps"`
		Name  string   `json:"name"`
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{status{Name: "<a>"}, `{"kind":"status","time":"2020-01-02T03:04:05Z","name":"<a>"}`},
		{status{Steps: []string{"x"}}, `{"kind":"status","time":"2020-01-02T03:04:05Z","steps":["x"],"name":""}`},
		{[]int{1}, `{"kind":"status","time":"2020-01-02T03:04:05Z","items":[1]}`},
		{[]int(nil), `{"kind":"status","time":"2020-01-02T03:04:05Z","items":[]}`},
		{struct{}{}, `{"kind":"status","time":"2020-01-02T03:04:05Z"}`},
		{map[string]any{"kind": "Facts", "x": nil}, `{"kind":"Facts","x":null}`},
	} {
		got, err := result("status", at, c.value)
		if err != nil || string(got) != c.want+"\n" {
			t.Errorf("%+v is %s%v, want %s", c.value, got, err, c.want)
		}
	}
	if _, err := result("status", at, func() {}); err == nil {
		t.Error("a function is JSON")
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	root, group, verb := &cobra.Command{Use: "bundle"}, &cobra.Command{Use: "identity"}, &cobra.Command{Use: "new DIR"}
	root.AddCommand(group)
	group.AddCommand(verb)
	for c, want := range map[*cobra.Command]string{root: "run", verb: "identity-new"} {
		if got := kindOf(c); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
