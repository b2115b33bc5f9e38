package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestManPage(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "install", Short: "Bring it up", Long: "One.\n\nTwo:\n.dot", Example: "  ./install\t--role a"}
	verb := &cobra.Command{Use: "plan [X]", Short: "Say what", Example: "  ./install plan", RunE: func(*cobra.Command, []string) error { return nil }}
	verb.Flags().StringP("file", "f", "", "a `FILE` with a \\ in it")
	root.AddCommand(verb, &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}})
	got := string(page(root, Manual{ExitStatus: [][2]string{{"0", "done"}}, Files: [][2]string{{"join.yaml", "the ticket"}}, Environment: [][2]string{{"TERM", "of the terminal"}}}, "2020-01-31"))
	for _, want := range []string{
		".TH KUBECRATE-INSTALL 1 \"2020-01-31\" ", "kubecrate\\-install \\- bring it up\n", "One.\n.PP\nTwo:\n\\&.dot\n", ".SS install plan [X] [flags]\n",
		".B \\-f, \\-\\-file FILE\na FILE with a \\e in it\n", ".SH EXIT STATUS\n.TP\n.B 0\ndone\n", ".SH FILES\n", ".SH ENVIRONMENT\n", ".nf\n  ./install    \\-\\-role a\n.fi\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "\t") {
		t.Errorf("got\n%s", got)
	}
}

// TestManHidesNoOther: the page has a name that no other program's page has.
func TestManHidesNoOther(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	root := &cobra.Command{Use: "install", Short: "Bring it up"}
	out := NewOut(os.Stdout, &strings.Builder{})
	out.Flags(root)
	root.AddCommand(ManCmd(root, &out, Manual{}))
	if code := Run(root, &out, []string{"man", dir}); code != ExitDone {
		t.Fatalf("exit code %d", code)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 || list[0].Name() != "kubecrate-install.1" {
		t.Errorf("%v, %v", list, err)
	}
}
