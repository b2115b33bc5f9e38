package host

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Stopwatch is a Runner that sums up the run time of programs. It is safe for concurrent
// use.
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

// Spent returns the time of each program, by its name in argv.
func (s *Stopwatch) Spent() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.spent)
}
