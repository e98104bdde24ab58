package legislators_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/tests/testdb"
)

func TestFetch(t *testing.T) {
	b, err := os.ReadFile("testdata/states.zip")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/main.zip", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) })
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/main.zip", http.StatusFound) })
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://10.0.0.1/x", http.StatusFound)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	w := newWorld(t, testdb.SQLite(t))
	for _, path := range []string{"/main.zip", "/there"} {
		src, err := legislators.Fetch(ctx, srv.URL+path)
		w.must(err)
		res, err := w.Import(ctx, actor.TheSystem(), src, legislators.ImportOptions{Kind: models.SourceOpenStates})
		w.must(err)
		w.must(src.Close())
		if res.People != 399 {
			t.Errorf("%s: %d people", path, res.People)
		}
	}
	for _, at := range []string{
		"http://example.org/x", "https://u:p@example.org/x", "ftp://example.org/x", "http://localhost/x", srv.URL + "/out", "https:///x", "https://10.0.0.1/x", "https://192.168.1.1/x",
		"https://169.254.169.254/latest", "https://[::1]/x", "https://127.0.0.1:1/x", "https://100.64.0.1/x",
	} {
		_, err := legislators.Fetch(ctx, at)
		want := fault.Invalid
		if at == "https://[::1]/x" || at == "https://127.0.0.1:1/x" {
			want = fault.Unavailable // this machine may be named, and nobody answers
		}
		if !fault.Is(err, want) {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := legislators.Fetch(ctx, srv.URL+"/none"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}
