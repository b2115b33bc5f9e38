package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// What the guarded server wants, and what a signed redirect of its carries.
const (
	guardUser     = "bob"
	guardPassword = "s3cret-of-bob"
)

// guarded is a yum repository, a registry and files for who has the login; a
// file under /signed/ is fetched by a redirect with a signature.
type guarded struct {
	registry http.Handler
	files    map[string][]byte
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	content, ok := g.files[r.URL.Path]
	switch {
	case user != guardUser || password != guardPassword:
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		g.registry.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/signed/"):
		http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/signed")+"?X-Amz-Signature="+guardPassword, http.StatusFound)
	case !ok:
		// A server that repeats what it was asked.
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("nothing at " + r.URL.String() + "?token=" + guardPassword))
	default:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// cmdGuarded starts a guarded server, and writes its address and login where
// bundle and a script look: guarded NETRC. $HOST is its address.
func cmdGuarded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: guarded NETRC")
	}
	g := &guarded{registry: registry.New(registry.Logger(log.New(io.Discard, "", 0))), files: map[string][]byte{"/f/x.yaml": []byte("kind: ConfigMap\n")}}
	ts.Check(g.repository())
	server := httptest.NewServer(g)
	ts.Defer(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/team/app:1.0")
	ts.Check(err)
	img, err := random.Image(64, 1)
	ts.Check(err)
	config, err := img.ConfigFile()
	ts.Check(err)
	config.OS, config.Architecture = "linux", "amd64"
	img, err = mutate.ConfigFile(img, config)
	ts.Check(err)
	ts.Check(remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: guardUser, Password: guardPassword})))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("machine 127.0.0.1 login "+guardUser+" password "+guardPassword+"\n"), 0o600))
	ts.Setenv("HOST", host)
}

// repository adds a yum repository with one package.
func (g *guarded) repository() error {
	data, err := rpmtest.Build(rpmtest.Spec{Name: "pkg", Version: "1.0", Release: "1", Arch: "x86_64"}, nil)
	if err != nil {
		return err
	}
	v, err := rpm.Check(bytes.NewReader(data))
	if err != nil {
		return err
	}
	location := v.Metadata.NEVRA.FileName()
	g.files["/r/"+location] = data
	create := func(name string) (io.WriteCloser, error) {
		return &served{path: "/r/repodata/" + strings.TrimPrefix(name, "repodata/"), g: g}, nil
	}
	return repodata.Write(create, []repodata.Package{{
		Metadata: *v.Metadata, Location: location, Size: int64(len(data)), Checksum: repodata.Checksum{Type: "sha256", Value: fmt.Sprintf("%x", sha256.Sum256(data))},
		HeaderStart: v.Header.Start, HeaderEnd: v.Header.End,
	}}, repodata.WriteOptions{Revision: "1"})
}

// served is a file that the server has once it is closed.
type served struct {
	bytes.Buffer
	path string
	g    *guarded
}

func (s *served) Close() error {
	s.g.files[s.path] = s.Bytes()
	return nil
}

// cmdLeaks searches every file below a directory, archives unpacked, for what
// the guarded server wants: ! leaks DIR [FILE THAT MAY]...
func cmdLeaks(ts *testscript.TestScript, neg bool, args []string) {
	if !neg || len(args) == 0 {
		ts.Fatalf("usage: ! leaks DIR [EXCEPT]...")
	}
	searched := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.ContainsFunc(args[1:], func(x string) bool { return ts.MkAbs(x) == path }) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".zst") {
			r, err := zstd.NewReader(bytes.NewReader(data))
			if err != nil {
				return err
			}
			defer r.Close()
			if data, err = io.ReadAll(r); err != nil {
				return err
			}
		}
		searched++
		for _, secret := range []string{guardPassword, url.QueryEscape(guardPassword), guardUser + ":"} {
			if bytes.Contains(data, []byte(secret)) {
				ts.Fatalf("%s holds %q", path, secret)
			}
		}
		return nil
	}))
	if searched == 0 {
		ts.Fatalf("nothing was searched")
	}
}
