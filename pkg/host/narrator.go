package host

import "context"

// Narrator is a Runner that tells each program before another one runs it: Tell
// gets the command line as it could be pasted. No secret is in it, as none may
// be in argv, where every user of the host could read it.
type Narrator struct {
	Runner
	Tell func(commandLine string)
}

// Run is Runner's.
func (n Narrator) Run(ctx context.Context, c Cmd) ([]byte, error) {
	n.Tell(CommandLine(c.Argv))
	return n.Runner.Run(ctx, c)
}
