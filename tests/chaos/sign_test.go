package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kithline/campaigns/address"
	"kithline/campaigns/vault"
	"kithline/models/database"
	"kithline/tests/skipped"
	"kithline/tests/smtpsink"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// signs is how many signatures are acknowledged while things break.
const signs = 10_000

// TestNothingAcknowledgedIsLost: ten thousand people sign while the server is killed and, on PostgreSQL, the database stops at once, with
// full durability. Everybody who was told "nearly done" is there once, with one mail, and is counted.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand signatures")
	}
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); breakWhilePeopleSign(t, testdb.SQLiteURL(t), nil) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db, err := testdb.Stoppable()
		if err != nil {
			skipped.For(t, "PostgreSQL", "KITHLINE_TEST_POSTGRES", err.Error())
		}
		breakWhilePeopleSign(t, db.URL, db)
	})
}

func breakWhilePeopleSign(t *testing.T, dbURL string, db *testdb.Server) {
	dir, sink := t.TempDir(), smtpsink.New(t)
	s := serve(t, dir, dbURL, "127.0.0.1:0", sink.Addr)
	path := launch(t, setUp(t, s))
	listen := s.URL[len("http://"):]

	var mu sync.Mutex
	told := make(map[string]bool, signs)
	var next atomic.Int64
	acknowledged := make(chan struct{}, 4*signs)
	stop, over := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			client := &http.Client{
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: testapp.Patience,
				Transport: &http.Transport{MaxIdleConnsPerHost: 1},
			}
			for stop.Err() == nil {
				email := fmt.Sprintf("p%d@example.org", next.Add(1))
				res, err := client.PostForm("http://"+listen+path+"/sign", url.Values{
					"given_name": {"June"}, "family_name": {"Okafor"}, "email": {email}, "postal_code": {"00209"}, "role": {"pain"},
				})
				if err != nil {
					<-time.After(5 * time.Millisecond) // nobody listens: nobody was told anything
					continue
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusSeeOther { // the database is away: it was told
					continue
				}
				mu.Lock()
				told[email] = true
				mu.Unlock()
				acknowledged <- struct{}{}
			}
		})
	}
	defer wg.Wait()
	defer over()
	const times = 4
	for i := range times {
		for range signs / times {
			select {
			case <-acknowledged:
			case <-time.After(2 * testapp.Patience):
				t.Fatal("nobody can sign")
			}
		}
		if db != nil && i%2 == 1 {
			if err := db.StopNow(); err != nil {
				t.Fatal(err)
			}
			if err := db.Start(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.kill()
		s = serve(t, dir, dbURL, listen, sink.Addr)
	}
	over()
	wg.Wait()
	s.kill()

	d, err := database.Open(context.Background(), database.Options{URL: dbURL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	v, err := vault.Load(dir+"/kithline.key", nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		AddressHash       []byte
		Signatures, Mails int
	}
	err = d.Raw(`SELECT m.address_hash, COUNT(DISTINCT s.id) AS signatures, COUNT(d.id) AS mails FROM mailboxes m JOIN signatures s ON s.mailbox_id = m.id
		LEFT JOIN deliveries d ON d.subject_id = s.id AND d.kind = 'petition_confirm' GROUP BY m.address_hash`).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	type found struct{ signatures, mails int }
	is := make(map[string]found, len(rows))
	for _, r := range rows {
		is[string(r.AddressHash)] = found{r.Signatures, r.Mails}
	}
	wrong := 0
	for email := range told {
		canonical, _, err := address.CanonicalAddress(email)
		if err != nil {
			t.Fatal(err)
		}
		if is[string(v.AddressHash(canonical))] != (found{1, 1}) {
			wrong++
		}
	}
	var pending, tallied int
	if err := d.Raw("SELECT pending_count FROM petitions").Scan(&pending).Error; err != nil {
		t.Fatal(err)
	}
	if err := d.Raw("SELECT SUM(signed) FROM petition_tallies WHERE kind = 'place'").Scan(&tallied).Error; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d were told, %d are there", len(told), len(rows))
	if wrong > 0 || len(told) < signs || pending != len(rows) || tallied != len(rows) {
		t.Errorf("%d of %d who were told are not there once with one mail; %d signatures, pending_count %d, tallied %d", wrong, len(told), len(rows), pending, tallied)
	}
}
