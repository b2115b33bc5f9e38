package rpmrepo

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

func signer(t *testing.T, name string) *rpmtest.Signer {
	t.Helper()
	s, err := rpmtest.NewSignerWith(name, rpmtest.BuildTime(), rpmtest.SignerOptions{EdDSA: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fingerprints(k *rpm.Keyring) []string {
	var out []string
	for _, key := range k.Keys() {
		out = append(out, key.Fingerprint)
	}
	slices.Sort(out)
	return out
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	a, b, c := signer(t, "a"), signer(t, "b"), signer(t, "c")
	binary, err := b.BinaryPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	web := serve(t, tree{"a.gpg": a.ArmoredPublicKey(), "page.gpg": []byte("<html>")})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "b.gpg"), binary, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "huge.gpg"), make([]byte, maxKey+1), 0o600); err != nil {
		t.Fatal(err)
	}
	embedded := fstest.MapFS{"c.asc": {Data: append(c.ArmoredPublicKey(), a.ArmoredPublicKey()...)}}
	fa, fb, fc := a.Fingerprint(), b.Fingerprint(), c.Fingerprint()
	off := false
	for _, test := range []struct {
		name string
		repo manifest.Repo
		want []string
		err  string
		hint string
	}{
		{"url", manifest.Repo{GPGKey: []string{web.base() + "/a.gpg"}}, []string{fa}, "", ""},
		{"path", manifest.Repo{GPGKey: []string{"b.gpg"}}, []string{fb}, "", ""},
		{"absolute path", manifest.Repo{GPGKey: []string{filepath.Join(dir, "b.gpg")}}, []string{fb}, "", ""},
		{"embedded", manifest.Repo{GPGKey: []string{"embedded:c.asc"}}, sorted(fa, fc), "", ""},
		{"all", manifest.Repo{GPGKey: []string{web.base() + "/a.gpg", "b.gpg", "embedded:c.asc"}}, sorted(fa, fb, fc), "", ""},
		{"pinned", manifest.Repo{GPGKey: []string{"b.gpg", "embedded:c.asc"}, Fingerprints: []string{fa}}, []string{fa}, "", ""},
		{"pinned, one gone", manifest.Repo{GPGKey: []string{web.base() + "/gone.gpg", "b.gpg"}, Fingerprints: []string{fb}}, []string{fb}, "", ""},
		{"off", manifest.Repo{GPGCheck: &off}, nil, "", ""},
		{"none", manifest.Repo{}, nil, "gpgcheck is on, but gpgkey is empty", "gpgcheck: false"},
		{"pinned and absent", manifest.Repo{GPGKey: []string{"b.gpg"}, Fingerprints: []string{fa}}, nil, fa, "gpg --show-keys"},
		{"pinned and gone", manifest.Repo{GPGKey: []string{web.base() + "/gone.gpg", "b.gpg"}, Fingerprints: []string{fa}}, nil, "gone.gpg", ""},
		{"gone", manifest.Repo{GPGKey: []string{"gone.gpg", "b.gpg"}}, nil, "gone.gpg", ""},
		{"a page", manifest.Repo{GPGKey: []string{web.base() + "/page.gpg"}}, nil, "page.gpg", ""},
		{"huge", manifest.Repo{GPGKey: []string{"huge.gpg"}}, nil, "larger than", ""},
		{"no such embedded", manifest.Repo{GPGKey: []string{"embedded:../c.asc"}}, nil, "embedded:../c.asc", ""},
	} {
		test.repo.ID = "test"
		ring, err := Keyring(t.Context(), fetcher(t), test.repo, dir, embedded)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), "repository test") || !strings.Contains(hint.Of(err), test.hint) {
				t.Errorf("%s: error %v, hint %q, want %q and %q", test.name, err, hint.Of(err), test.err, test.hint)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := fingerprints(ring); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: keys %q, want %q", test.name, got, test.want)
		}
	}
}
