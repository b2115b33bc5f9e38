package table_test

import (
	"bytes"
	"errors"
	"testing"

	"kubecrate/pkg/table"
)

func TestPrinter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := table.New(&out)
	p.Line("NAME\tSIZE")
	p.Line("%s\t%d", "long name", 7)
	p.Line("%s\t%v", "a\n ok everything fine\tx", errors.New("b\x1b[2J"))
	if out.Len() != 0 {
		t.Errorf("printed before Flush: %q", out.String())
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = "NAME                       SIZE\n" +
		"long name                  7\n" +
		`a\n ok everything fine\tx  b\x1b[2J` + "\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestPrinterKeepsTheError(t *testing.T) {
	t.Parallel()
	if err := table.Print(broken{}, "x"); err == nil || err.Error() != "cannot print: no space" {
		t.Errorf("got %v", err)
	}
}
