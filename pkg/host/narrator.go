package host

import "context"

// Narrator is a Runner that passes each command line, ready to paste, to Tell before it
// runs. It has no secrets, since every user of the host can read argv.
type Narrator struct {
	Runner
	Tell func(commandLine string)
}

// Run is Runner's.
func (n Narrator) Run(ctx context.Context, c Cmd) ([]byte, error) {
	n.Tell(CommandLine(c.Argv))
	return n.Runner.Run(ctx, c)
}
