package install

import (
	"context"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/progress"
)

// letGo makes the stick free to go to another host while this one waits for its
// master: nothing is read from it any more, and of this program, which lies on
// it, all stays in memory.
func (s *site) letGo(ctx context.Context) {
	say := func(text string) {
		s.Report.Report(progress.Event{Kind: progress.Note, Stage: "stick", Text: text})
	}
	mount := mountOf(s.stick())
	if mount == "/" {
		return
	}
	s.reports.Release(ctx, s.outcome(false, "it waits for its master"))
	if err := s.close(); err != nil || unix.Mlockall(unix.MCL_CURRENT) != nil {
		say("leave the stick in this host until it has joined")
		return
	}
	say("nothing of the stick is needed here any more: mount -o remount,ro " + mount + ", pull it out, and take it to the other hosts while this one waits")
}

// mountOf is the directory at which the file system of dir is mounted; "/" where
// that cannot be told.
func mountOf(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "/"
	}
	var here, above unix.Stat_t
	if unix.Stat(dir, &here) != nil {
		return "/"
	}
	for dir != "/" {
		up := filepath.Dir(dir)
		if unix.Stat(up, &above) != nil || above.Dev != here.Dev {
			return dir
		}
		dir = up
	}
	return dir
}
