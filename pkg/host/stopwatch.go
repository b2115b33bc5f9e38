package host

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Stopwatch is a Runner that adds up how long the programs take which another
// one runs. It is safe for concurrent use.
type Stopwatch struct {
	Runner
	mu    sync.Mutex
	spent map[string]time.Duration
}

// Run is Runner's.
func (s *Stopwatch) Run(ctx context.Context, c Cmd) ([]byte, error) {
	began := time.Now()
	out, err := s.Runner.Run(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent == nil {
		s.spent = map[string]time.Duration{}
	}
	if len(c.Argv) > 0 {
		s.spent[c.Argv[0]] += time.Since(began)
	}
	return out, err
}

// Spent is the time that each program took, by its name in argv.
func (s *Stopwatch) Spent() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.spent)
}
