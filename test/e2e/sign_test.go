//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// signed signs the archive with a key that has a passphrase, lets stock minisign
// and openssl judge every signature, and takes each of them away from its file.
func (s *site) signed(archive, tree string) {
	dir := filepath.Join(s.dir, "signing")
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	name, word := filepath.Join(dir, "lab"), filepath.Join(dir, "word")
	const secret = "open sesame"
	if err := os.WriteFile(word, []byte(secret+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.bundled("keygen", "-o", name, "--passphrase-file", word)
	// minisign opens the secret key, too.
	note := filepath.Join(dir, "note")
	if err := os.WriteFile(note, []byte("hello"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), "minisign", "-S", "-s", name+".key", "-m", note)
	cmd.Stdin = strings.NewReader(secret + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("minisign cannot sign with the key: %v\n%s", err, out)
	}
	s.tool("minisign", "-V", "-p", name+".pub", "-m", note)

	before := entries(s.t, s.out)
	s.bundled("sign", archive, "--key", name+".key", "--passphrase-file", word)
	for _, file := range []string{archive, filepath.Join(s.out, "install"), filepath.Join(s.out, "install-linux-amd64")} {
		s.stockVerifies(name, file)
	}
	s.tool("minisign", "-V", "-p", name+".pub", "-m", filepath.Join(tree, "index.json"), "-x", archive+".index.minisig")
	s.bundled("verify", archive, "--key", name+".pub")
	s.tool(filepath.Join(s.out, "install"), "verify", "--archive", archive, "--key", name+".pub", "--require-signature")

	// Built with the same key, the same archive has the same signatures.
	signatures := s.signatures()
	s.mustBuild("--sign", name+".key", "--passphrase-file", word)
	if again := s.signatures(); !slices.Equal(signatures, again) {
		s.t.Errorf("bundle sign and bundle build --sign differ:\n%q\n%q", signatures, again)
	}
	// Built without a key, none is left.
	s.mustBuild()
	if after := entries(s.t, s.out); !slices.Equal(before, after) {
		s.t.Errorf("after a build without a key these files are there: %v, before: %v", after, before)
	}
}

// signatures are the contents of all of them in the target, in the order of
// their names.
func (s *site) signatures() (list []string) {
	s.t.Helper()
	for _, name := range entries(s.t, s.out) {
		switch filepath.Ext(name) {
		case ".minisig", ".sig", ".pub", ".pem":
			b, err := os.ReadFile(filepath.Join(s.out, name))
			if err != nil {
				s.t.Fatal(err)
			}
			list = append(list, name+" "+string(b))
		}
	}
	return list
}

// bundled runs bundle where it has to succeed.
func (s *site) bundled(args ...string) {
	s.t.Helper()
	if r := s.run(args...); r.code != 0 {
		s.t.Fatalf("bundle %s: exit code %d\n%s", args[0], r.code, said(r.stderr))
	}
}

// stockVerifies lets minisign and openssl verify a file, and refuse one that
// starts as it does and is shorter.
func (s *site) stockVerifies(key, file string) {
	s.t.Helper()
	minisign := func(f string) []string {
		return []string{"minisign", "-V", "-p", key + ".pub", "-m", f, "-x", file + ".minisig"}
	}
	openssl := func(f string) []string {
		return []string{"openssl", "dgst", "-sha256", "-verify", key + ".pem", "-signature", file + ".sig", f}
	}
	changed := filepath.Join(s.dir, "changed")
	b, err := readStart(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(changed, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	for _, tool := range []func(string) []string{minisign, openssl} {
		s.tool(tool(file)...)
		argv := tool(changed)
		if err := exec.CommandContext(s.t.Context(), argv[0], argv[1:]...).Run(); err == nil {
			s.t.Errorf("%v takes a file that was changed", argv)
		}
	}
	if err := os.Remove(changed); err != nil {
		s.t.Fatal(err)
	}
}

// readStart is the first part of a file.
func readStart(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	n, err := f.Read(b)
	return b[:max(0, n-1)], err
}

// TestSignedVolumes: every volume has signatures of its own, which stock tools
// check without the others.
func TestSignedVolumes(t *testing.T) {
	s := newSite(t, options{images: []string{"k8s.gcr.io/pause:3.1"}})
	key := filepath.Join(s.dir, "lab")
	s.bundled("keygen", "-o", key, "--no-passphrase")
	s.mustBuild("--sign", key+".key", "--volume-size", "2M")
	var volumes []string
	for _, name := range entries(t, s.out) {
		if strings.HasPrefix(filepath.Ext(name), ".00") {
			volumes = append(volumes, name)
			s.stockVerifies(key, filepath.Join(s.out, name))
		}
	}
	if len(volumes) < 2 {
		t.Fatalf("only %d volumes", len(volumes))
	}
	s.bundled("verify", s.archive(), "--key", key+".pub")
	s.tool(filepath.Join(s.out, "install"), "verify", "--archive", s.archive()+".002", "--key", key+".pub", "--require-signature")
}
