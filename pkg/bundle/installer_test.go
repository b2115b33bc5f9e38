package bundle

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
)

// program writes the head of an ELF file for a machine.
func program(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[elf.EI_CLASS], h[elf.EI_DATA], h[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(h[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(h[18:], uint16(machine))
	binary.LittleEndian.PutUint32(h[20:], uint32(elf.EV_CURRENT))
	binary.LittleEndian.PutUint16(h[52:], 64)
	if err := os.WriteFile(path, h, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFindInstaller(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	amd, arm := filepath.Join(dir, "amd"), filepath.Join(dir, "arm")
	program(t, amd, elf.EM_X86_64)
	program(t, arm, elf.EM_AARCH64)
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, arch, want string }{
		{amd, "amd64", ""},
		{arm, "arm64", ""},
		{arm, "amd64", "is built for EM_AARCH64"},
		{text, "amd64", "is not a Linux program"},
		{filepath.Join(dir, "none"), "amd64", " does not exist"},
	} {
		got, err := FindInstaller(c.path, c.arch)
		switch {
		case c.want == "" && (err != nil || got != c.path):
			t.Errorf("%s for %s: got %q, %v", c.path, c.arch, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == ""):
			t.Errorf("%s for %s: got %v, hint %q, want %q", c.path, c.arch, err, hint.Of(err), c.want)
		}
	}
}
