package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"kubecrate/pkg/version"
)

// ManCmd is the hidden command that writes root's man pages into a directory.
func ManCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages into a directory",
		Example: fmt.Sprintf("  %s man /usr/local/share/man/man1", root.Name()),
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			const mode = 0o755
			if err := os.MkdirAll(args[0], mode); err != nil {
				return fmt.Errorf("cannot make the directory: %w", err)
			}
			date := time.Unix(0, 0)
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "kubecrate " + version.String(), Date: &date}, args[0]); err != nil {
				return fmt.Errorf("cannot write the man pages: %w", err)
			}
			return nil
		},
	}
}
