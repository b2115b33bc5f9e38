package hint_test

import (
	"errors"
	"fmt"
	"testing"

	"kubecrate/pkg/hint"
)

func TestOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("docker is not running")
	inner := hint.With(cause, "systemctl start %s", "docker")
	outer := hint.With(fmt.Errorf("cannot load image: %w", inner), "look elsewhere")
	joined := errors.Join(errors.New("first"), inner)
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{cause, ""},
		{inner, "systemctl start docker"},
		{outer, "systemctl start docker"},
		{joined, "systemctl start docker"},
	} {
		if got := hint.Of(c.err); got != c.want {
			t.Errorf("Of(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	if hint.With(nil, "x") != nil {
		t.Error("With(nil) is an error")
	}
	if !errors.Is(outer, cause) || outer.Error() != "cannot load image: docker is not running" {
		t.Errorf("outer is %v", outer)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for want, argv := range map[string][]string{
		"./install --role node":     {"./install", "--role", "node"},
		"rm '/media/usb [1]/x.zst'": {"rm", "/media/usb [1]/x.zst"},
		`rm '/it'\''s' ''`:          {"rm", "/it's", ""},
		"ls -l 'a;b'":               {"ls", "-l", "a;b"},
	} {
		if got := hint.Command(argv...); got != want {
			t.Errorf("Command(%q) = %s, want %s", argv, got, want)
		}
	}
}
