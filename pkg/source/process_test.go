package source_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/source"
	st "kubecrate/pkg/source/sourcetest"
	"kubecrate/pkg/store"
)

// childMark makes the test binary fetch something in place of testing.
const childMark = "KUBECRATE_SOURCE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) == "" {
		os.Exit(m.Run())
	}
	if err := child(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child fetches url into the cache dir, and says on stdout that bytes arrive.
func child(dir, url, digest string) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	var once sync.Once
	o := source.Options{Insecure: true, Retries: 1, Report: func(e progress.Event) {
		if e.Kind == progress.Advance {
			once.Do(func() { fmt.Println("arriving") })
		}
	}}
	_, err = source.New(s, o).Fetch(context.Background(), source.Blob{Name: "thing", Digest: digest, Locations: []source.Location{{URL: url}}})
	return err
}

func startChild(t *testing.T, env []string, dir, url, digest string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir, url, digest)
	cmd.Env = append(append(os.Environ(), childMark+"=1"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// TestKilledProcess kills a process in the middle of a download. The next one
// goes on where it ended.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	data := random(8 * mib)
	rec := st.Record(st.First(1, st.HangAt(5*mib, st.Content(data)), st.Content(data)))
	url := serve(t, rec)
	dir := t.TempDir()
	cmd, out := startChild(t, nil, dir, url, digestOf(data))
	if line, err := out.ReadString('\n'); err != nil || line != "arriving\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	s := newStore(t, dir)
	deadline := time.Now().Add(10 * time.Second)
	for have := int64(0); have < 5*mib; {
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes have arrived", have)
		}
		time.Sleep(5 * time.Millisecond)
		for _, size := range partials(t, s) {
			have = size
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, ok := s.Stat(digestOf(data)); ok {
		t.Fatal("half a blob has its final name")
	}
	if _, err := source.New(s, patient()).Fetch(t.Context(), blobOf(data, url)); err != nil {
		t.Fatal(err)
	}
	got := rec.Requests()
	if len(got) != 2 || got[1].Range != fmt.Sprintf("bytes=%d-", 5*mib) || got[1].Bytes != 3*mib {
		t.Errorf("requests are %+v", got)
	}
	wantStored(t, s, data)
}

// TestTwoProcesses fetch one blob at once: one request is made.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	data := random(4 * mib)
	rec := st.Record(st.Limit(8*mib, st.Content(data)))
	url := serve(t, rec)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		cmd, out := startChild(t, nil, dir, url, digestOf(data))
		wg.Go(func() {
			text, _ := out.ReadString(0)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
	wg.Wait()
	if got := len(rec.Requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	wantStored(t, newStore(t, dir), data)
}

// TestProxy is a process of its own, as net/http reads the environment once.
func TestProxy(t *testing.T) {
	t.Parallel()
	data := random(1000)
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.RequestURI)
		mu.Unlock()
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		st.Content(data).ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	run := func(url string) (string, error) {
		cmd, out := startChild(t, []string{"HTTP_PROXY=" + proxy.URL, "HTTPS_PROXY=" + proxy.URL, "NO_PROXY="}, t.TempDir(), url, digestOf(data))
		text, _ := out.ReadString(0)
		return text, cmd.Wait()
	}
	if text, err := run("http://mirror.example/x.rpm"); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	if text, err := run("https://mirror.example/x.rpm"); err == nil || !strings.Contains(text, "https://mirror.example/x.rpm: Forbidden") {
		t.Errorf("%v: %s", err, text)
	}
	if got := strings.Join(asked, ", "); got != "GET http://mirror.example/x.rpm, CONNECT mirror.example:443" {
		t.Errorf("the proxy was asked for %s", got)
	}
}
