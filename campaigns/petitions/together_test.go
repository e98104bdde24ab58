package petitions

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"kithline/models"
)

func TestTogetherReadsAfterItWasAsked(t *testing.T) {
	var stored, fetched, asked atomic.Int64
	shared := together{fetch: func(context.Context, string) (models.Petition, error) {
		fetched.Add(1)
		return models.Petition{SignatureCount: int(stored.Load())}, nil
	}}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 200 {
				asked.Add(1)
				least := stored.Add(1)
				p, err := shared.read(t.Context(), "a")
				if err != nil || int64(p.SignatureCount) < least {
					t.Errorf("read %d, %v; what was stored before it asked is %d", p.SignatureCount, err, least)
				}
			}
		})
	}
	wg.Wait()
	if fetched.Load() > asked.Load() {
		t.Errorf("%d readings for %d that asked", fetched.Load(), asked.Load())
	}
	for kept := 1; kept > 0; runtime.Gosched() { // who read tidies up after answering
		shared.mu.Lock()
		kept = len(shared.slugs)
		shared.mu.Unlock()
	}
}

// TestTogetherShares: who comes while one is read waits for one reading more, all of them for the same.
func TestTogetherShares(t *testing.T) {
	type told struct {
		p   models.Petition
		err error
	}
	begun, goOn, answers := make(chan string), make(chan told), make(chan told, 20)
	shared := together{fetch: func(_ context.Context, slug string) (models.Petition, error) {
		begun <- slug
		r := <-goOn
		return r.p, r.err
	}}
	ask := func(ctx context.Context) {
		p, err := shared.read(ctx, "a")
		answers <- told{p, err}
	}
	go ask(t.Context())
	if slug := <-begun; slug != "a" {
		t.Fatal(slug)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	ask(ended) // gives up, and takes nobody with it
	if a := <-answers; !errors.Is(a.err, context.Canceled) {
		t.Fatalf("%+v", a)
	}
	var ready sync.WaitGroup
	for range 5 {
		ready.Add(1)
		go func() { ready.Done(); ask(t.Context()) }()
	}
	ready.Wait()
	boom := errors.New("boom")
	goOn <- told{err: boom}
	if a := <-answers; !errors.Is(a.err, boom) {
		t.Fatalf("%+v", a)
	}
	<-begun // who gave up asked for it, whoever else waits gets it too
	goOn <- told{p: models.Petition{Goal: 2}}
	for got := 0; got < 5; {
		select {
		case a := <-answers:
			if a.err != nil || a.p.Goal < 2 {
				t.Errorf("%+v", a)
			}
			got++
		case <-begun: // for those that came only after the second had begun
			goOn <- told{p: models.Petition{Goal: 3}}
		}
	}
}
