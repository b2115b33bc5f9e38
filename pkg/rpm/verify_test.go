package rpm_test

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

const (
	centos2 = "881271F0B66849E2FA8687602802E89216FF0E46"
	centos3 = "31C942C47E8D1F5CA6A7F1FC7049E44D025E513B"
	centos4 = "31EA27E56F790C18AD7918DFA53D0BAB443E1821"
	centos5 = "473D66D5212271FD51CC17B1A8A447DCE8562897"
	centos6 = "C1DAC52D1664E8A4386DBA430946FCA2C105B9DE"
	centos7 = "6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5"
	redhat  = "567E347AD0044ADE55BA8A5F199E2F91FD431D51"
	oracle  = "42144123FECFC55B9086313D72F97B74EC551F03"
	docker  = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"
)

// realPackages says what every package of the shared data is signed with; the
// first pattern that matches its path counts.
var realPackages = []struct {
	pattern, fingerprint, signature string
	err                             error
	warn                            string
}{
	{"cavaliergopher/centos-release-as-2*", centos2, "V3 DSA/SHA1", nil, "weak SHA1; expired on 2009-03-14; only 1024 bits"},
	{"cavaliergopher/centos-release-3*", centos3, "V3 DSA/SHA1", nil, "weak SHA1; expired on 2009-03-14; only 1024 bits"},
	{"cavaliergopher/centos-release-4*", centos4, "V3 DSA/SHA1", nil, "weak SHA1; expired on 2015-02-23; only 1024 bits"},
	{"cavaliergopher/centos-release-5*", centos5, "V3 DSA/SHA1", nil, "weak SHA1; expired on 2017-01-03; only 1024 bits"},
	{"cavaliergopher/centos-release-6*", centos6, "V3 RSA/SHA256", nil, "expired on 2021-06-30"},
	{"cavaliergopher/centos-release-7*", centos7, "V3 RSA/SHA256", nil, ""},
	{"cavaliergopher/epel-release-7-5*", centos7, "V3 RSA/SHA256", nil, ""}, // CentOS extras carries it
	{"el7/docker-ce-selinux*", docker, "V4 RSA/SHA512", nil, ""},
	{"el7/elrepo-release*", "", "", rpm.ErrUntrustedKey, ""}, // its key is not in the data
	{"el7/yum-utils*", redhat, "V3 RSA/SHA256", nil, ""},
	{"el7/*", centos7, "V3 RSA/SHA256", nil, ""},
	{"el7-docker-closure/docker-scan-plugin*", docker, "V4 RSA/SHA512", nil, ""},
	{"el7-docker-closure/*", centos7, "V3 RSA/SHA256", nil, ""},
	{"el7-multilib/*", centos7, "V3 RSA/SHA256", nil, ""},
	{"el7-k8s-deps/ebtables*", redhat, "V3 RSA/SHA256", nil, ""},
	{"el7-k8s-deps/socat*", oracle, "V3 RSA/SHA256", nil, ""},
	{"el7-k8s-deps/conntrack-tools*", oracle, "V3 RSA/SHA256", nil, ""},
	{"el7-k8s-deps/libnetfilter_*", oracle, "V3 RSA/SHA256", nil, ""},
	{"el7-k8s-deps/*", centos7, "V3 RSA/SHA256", nil, ""},
	{"el8-weka/docker-ce/Packages/*", docker, "V4 RSA/SHA512", nil, ""},
	{"el8-weka/weka-repos/*", "", "", rpm.ErrUnsigned, ""},
	{"go-rpmutils/*", "", "", rpm.ErrUnsigned, ""},
	{"pathological/git-lfs-pointer.rpm", "", "", rpm.ErrCorrupt, ""},
}

func TestVerifyReal(t *testing.T) {
	t.Parallel()
	dir, names := realRPMs(t)
	keys := realKeys(t)
	used := make([]int, len(realPackages))
	for _, name := range names {
		row := -1
		for i, p := range realPackages {
			if ok, err := path.Match(p.pattern, name); err != nil {
				t.Fatal(err)
			} else if ok {
				row = i
				break
			}
		}
		if row < 0 {
			t.Errorf("%s: in no row of the table", name)
			continue
		}
		used[row]++
		want := realPackages[row]
		v, err := verifyFile(t, filepath.Join(dir, name), keys)
		if !errors.Is(err, want.err) || (err == nil) != (want.err == nil) {
			t.Errorf("%s: %v, want %v", name, err, want.err)
			continue
		}
		if err != nil {
			continue
		}
		signature := fmt.Sprintf("V%d %s/%s", v.Version, v.Algorithm, v.Hash)
		if !v.Signed || v.Key.Fingerprint != want.fingerprint || signature != want.signature {
			t.Errorf("%s: signed %v by %s, %s", name, v.Signed, v.Key.Fingerprint, signature)
		}
		if !strings.HasSuffix(v.Key.Fingerprint, v.SigningKeyID) || v.SigningTime.Before(v.Key.Created) {
			t.Errorf("%s: signed by %s on %s", name, v.SigningKeyID, v.SigningTime)
		}
		if got := strings.Join(v.Warnings, "; "); !hasAll(got, want.warn) || (got == "") != (want.warn == "") {
			t.Errorf("%s: warnings %q, want %q", name, got, want.warn)
		}
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("no package matches %s", realPackages[i].pattern)
		}
	}
}

func hasAll(text, parts string) bool {
	for part := range strings.SplitSeq(parts, "; ") {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func verifyFile(t *testing.T, path string, keys *rpm.Keyring) (v *rpm.Verification, err error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	return rpm.Verify(f, keys)
}

func TestCheckReal(t *testing.T) {
	t.Parallel()
	dir, names := realRPMs(t)
	for _, name := range names {
		v, err := rpm.Check(bytes.NewReader(readFile(t, dir, name)))
		if strings.HasPrefix(name, "pathological/") {
			if !errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), "git-lfs pointer") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || v.Signed || len(v.Warnings) > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// flipped verifies a package with one byte altered.
func flipped(b []byte, at int64, keys *rpm.Keyring) (*rpm.Verification, error) {
	b[at] ^= 0x41
	v, err := rpm.Verify(bytes.NewReader(b), keys)
	b[at] ^= 0x41
	return v, err
}

// TestVerifyFlipped alters every byte of signed packages. In header and payload
// each one is refused. The lead is covered by nothing. In the signature header
// some bytes mean nothing (padding, the archive's size) and some take away one
// of two signatures: whatever is accepted must still be signed and the same.
func TestVerifyFlipped(t *testing.T) {
	t.Parallel()
	for name, c := range signedPackages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, err := rpm.Verify(bytes.NewReader(c.file), c.keys)
			if err != nil {
				t.Fatal(err)
			}
			b, tolerated := bytes.Clone(c.file), 0
			const lead = 96
			step := max(int64(1), int64(len(b))/400) // of the payload, to save time
			for at := int64(0); at < int64(len(b)); at++ {
				if at > good.Header.End && at%step != 0 && at != int64(len(b))-1 {
					continue
				}
				v, err := flipped(b, at, c.keys)
				switch {
				case err != nil:
					want := rpm.ErrCorrupt
					if at == good.Header.Start+3 { // the header's version: another one is not read at all
						want = rpm.ErrUnsupported
					}
					if at >= good.Header.Start && !errors.Is(err, want) {
						t.Fatalf("byte %d of %d: %v", at, len(b), err)
					}
				case at >= good.Header.Start:
					t.Fatalf("byte %d of %d (header %+v) altered, accepted", at, len(b), good.Header)
				default:
					v.Metadata.ArchiveSize = good.Metadata.ArchiveSize // stands in the signature header
					if !v.Signed || v.Key.Fingerprint != good.Key.Fingerprint || !reflect.DeepEqual(v.Metadata, good.Metadata) {
						t.Fatalf("byte %d altered: %+v", at, v)
					}
					if at >= lead {
						tolerated++
					}
				}
			}
			t.Logf("%d of %d bytes of the signature header mean nothing", tolerated, good.Header.Start-lead)
			if tolerated > 70 {
				t.Errorf("%d bytes of the signature header can be altered", tolerated)
			}
		})
	}
}

type signedPackage struct {
	file []byte
	keys *rpm.Keyring
}

// signedPackages are small packages of each kind of signature: those of EL7
// and EL3 with their real keys, and generated ones.
func signedPackages(t testing.TB) map[string]signedPackage {
	t.Helper()
	out := map[string]signedPackage{}
	for name, o := range map[string]rpmtest.SignerOptions{"V4 RSA": {}, "V4 EdDSA": {EdDSA: true}, "V4 RSA subkey": {Subkey: true}} {
		s := newSigner(t, o)
		out[name] = signedPackage{build(t, s), readKeyring(t, s.ArmoredPublicKey())}
	}
	data := filepath.Join(sharedData(t), "rpms")
	out["V3 RSA"] = signedPackage{
		readFile(t, data, "el7-multilib/hostname-3.13-3.el7_7.1.x86_64.rpm"),
		readKeyring(t, readFile(t, data, "cavaliergopher/RPM-GPG-KEY-CentOS-7")),
	}
	out["V3 DSA"] = signedPackage{
		readFile(t, data, "cavaliergopher/centos-release-3.1-1.i386.rpm"),
		readKeyring(t, readFile(t, data, "cavaliergopher/RPM-GPG-KEY-CentOS-3")),
	}
	return out
}

// signingDay is when generated packages are signed.
var signingDay = time.Date(2020, 3, 13, 12, 0, 0, 0, time.UTC)

func newSigner(t testing.TB, o rpmtest.SignerOptions) *rpmtest.Signer {
	t.Helper()
	s, err := rpmtest.NewSignerWith("Test Key", signingDay, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func build(t testing.TB, s *rpmtest.Signer) []byte {
	t.Helper()
	b, err := rpmtest.Build(rpmtest.Spec{Name: "foo", Version: "1", Arch: "x86_64", Payload: 3000}, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifyTruncated(t *testing.T) {
	t.Parallel()
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	keys := readKeyring(t, s.ArmoredPublicKey())
	b, err := rpmtest.Build(rpmtest.Spec{Name: "foo", Version: "1", Payload: 100}, s)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		v, err := rpm.Verify(bytes.NewReader(b[:n]), keys)
		if !errors.Is(err, rpm.ErrCorrupt) || v != nil {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(b), err)
		}
		if _, err := rpm.Check(bytes.NewReader(b[:n])); !errors.Is(err, rpm.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(b), err)
		}
	}
	_, err = rpm.Verify(bytes.NewReader(b[:len(b)-10]), keys)
	if err == nil || !strings.Contains(err.Error(), "it is truncated") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a payload cut off gives %v", err)
	}
	_, err = rpm.Verify(bytes.NewReader(append(b, 0)), keys)
	if !errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), "1 bytes follow its end") {
		t.Errorf("a byte too much gives %v", err)
	}
}

func TestVerifySigned(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		options   rpmtest.SignerOptions
		algorithm string
		hash      string
	}{
		{"RSA", rpmtest.SignerOptions{}, "RSA", "SHA256"},
		{"RSA SHA512", rpmtest.SignerOptions{Hash: crypto.SHA512}, "RSA", "SHA512"},
		{"EdDSA", rpmtest.SignerOptions{EdDSA: true}, "EdDSA", "SHA256"},
		{"subkey", rpmtest.SignerOptions{Subkey: true}, "RSA", "SHA256"},
		{"EdDSA subkey", rpmtest.SignerOptions{Subkey: true, EdDSA: true}, "EdDSA", "SHA256"},
	} {
		s := newSigner(t, c.options)
		v, err := rpm.Verify(iotest.HalfReader(bytes.NewReader(build(t, s))), readKeyring(t, s.ArmoredPublicKey()))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !v.Signed || v.Key.Fingerprint != s.Fingerprint() || v.Version != 4 || v.Algorithm != c.algorithm || v.Hash != c.hash {
			t.Errorf("%s: %+v", c.name, v)
		}
		if !v.SigningTime.Equal(signingDay) || v.Key.UserID != "Test Key" || len(v.Warnings) > 0 {
			t.Errorf("%s: %+v", c.name, v)
		}
		if ofSubkey := !strings.HasSuffix(v.Key.Fingerprint, v.SigningKeyID); ofSubkey != c.options.Subkey {
			t.Errorf("%s: signed by %s of %s", c.name, v.SigningKeyID, v.Key.Fingerprint)
		}
		if want := fmt.Sprintf("signed by %s with key %s, V4 %s/%s of 2020-03-13, payload sha256:", s.Fingerprint(), v.SigningKeyID, c.algorithm, c.hash); !strings.HasPrefix(v.String(), want) {
			t.Errorf("%s: %s, want %s", c.name, v, want)
		}
		if !strings.HasPrefix(v.PayloadDigest, "sha256:") || len(v.PayloadDigest) != 71 {
			t.Errorf("%s: payload digest is %q", c.name, v.PayloadDigest)
		}
		if v.Metadata.String() != "foo-1-1.x86_64" || v.Header.Start == 0 || v.Header.End <= v.Header.Start {
			t.Errorf("%s: %v %v", c.name, v.Metadata.NEVRA, v.Header)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, other := newSigner(t, rpmtest.SignerOptions{EdDSA: true}), newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	brief := newSigner(t, rpmtest.SignerOptions{EdDSA: true, Lifetime: 24 * time.Hour})
	weak := newSigner(t, rpmtest.SignerOptions{Hash: crypto.SHA1})
	ring := func(s *rpmtest.Signer) *rpm.Keyring { return readKeyring(t, s.ArmoredPublicKey()) }
	revoked := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	revokedFile, before := build(t, revoked), ring(revoked)
	if err := revoked.Revoke(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		file []byte
		keys *rpm.Keyring
		want error
		text string
		hint string
	}{
		{"unsigned", build(t, nil), ring(s), rpm.ErrUnsigned, "not signed", "gpgcheck: false"},
		{"another key", build(t, s), ring(other), rpm.ErrUntrustedKey, "pinned keys: Test Key (" + other.Fingerprint() + ")", "gpg --show-keys"},
		{"another key, named", build(t, s), ring(other), rpm.ErrUntrustedKey, "by key " + s.Fingerprint()[24:], "gpgkey"},
		{"no key", build(t, s), nil, rpm.ErrUntrustedKey, "pinned keys: none", "gpgkey"},
		{"revoked key", revokedFile, ring(revoked), rpm.ErrUntrustedKey, "is revoked", "newly signed"},
		{"revoked in one of two copies", revokedFile, rpm.Merge(before, ring(revoked)), rpm.ErrUntrustedKey, "is revoked", "newly signed"},
		{"signed after expiry", build(t, brief.At(signingDay.Add(48*time.Hour))), ring(brief), rpm.ErrUntrustedKey, "expired on 2020-03-14", "newly signed"},
		{"signed before the key was made", build(t, s.At(signingDay.Add(-48*time.Hour))), ring(s), rpm.ErrUntrustedKey, "predates key", "newly signed"},
		{"SHA1 after its end", build(t, weak.At(time.Date(2024, 7, 2, 0, 0, 0, 0, time.UTC))), ring(weak), rpm.ErrUntrustedKey, "an untrusted hash", "newly signed"},
	} {
		v, err := rpm.Verify(bytes.NewReader(c.file), c.keys)
		if v != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v (hint %q), want %v with %q", c.name, err, hint.Of(err), c.want, c.text)
		}
	}
}

func TestVerifyWarns(t *testing.T) {
	t.Parallel()
	brief := newSigner(t, rpmtest.SignerOptions{EdDSA: true, Lifetime: 24 * time.Hour})
	weak := newSigner(t, rpmtest.SignerOptions{Hash: crypto.SHA1})
	for _, c := range []struct {
		name   string
		signer *rpmtest.Signer
		want   string
	}{
		{"expired since", brief, "expired on 2020-03-14, after it signed this on 2020-03-13"},
		{"SHA1", weak, "the V4 RSA/SHA1 signature of 2020-03-13 uses weak SHA1"},
	} {
		v, err := rpm.Verify(bytes.NewReader(build(t, c.signer)), readKeyring(t, c.signer.ArmoredPublicKey()))
		if err != nil || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], c.want) {
			t.Errorf("%s: %+v, %v", c.name, v, err)
		}
	}
}

// TestVerifyMemory streams a package that is larger than what verifying may
// take of memory.
func TestVerifyMemory(t *testing.T) {
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	b, err := rpmtest.Build(rpmtest.Spec{Name: "big", Version: "1", Payload: 48 << 20}, s)
	if err != nil {
		t.Fatal(err)
	}
	keys := readKeyring(t, s.ArmoredPublicKey())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := rpm.Verify(bytes.NewReader(b), keys); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated for a package of %d", used, len(b))
	}
}

// TestVerifyReadError: a failing disk or network is no corrupt package.
func TestVerifyReadError(t *testing.T) {
	t.Parallel()
	s := newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	b, broken := build(t, s), errors.New("connection reset")
	r := io.MultiReader(bytes.NewReader(b[:len(b)-5]), iotest.ErrReader(broken))
	_, err := rpm.Verify(r, readKeyring(t, s.ArmoredPublicKey()))
	if !errors.Is(err, broken) || errors.Is(err, rpm.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}
