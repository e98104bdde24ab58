package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"kithline/app"
	"kithline/config"
	"kithline/tests/smtpsink"
	"kithline/tests/testdb"
)

func TestProf(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	conns := os.Getenv("CONNS")
	b := &bench{dir: t.TempDir()}
	ctx := context.Background()
	u := ""
	if os.Getenv("PG") != "" {
		server, err := testdb.DurableServer()
		if err != nil { t.Fatal(err) }
		var drop func()
		u, drop, err = b.database(ctx, server, "prof")
		if err != nil { t.Fatal(err) }
		defer drop()
	}
	s, err := b.newSite(ctx, u, 0)
	if err != nil { t.Fatal(err) }
	took, err := frozenMailing(ctx, s, n)
	if err != nil { t.Fatal(err) }
	fmt.Println("freeze", took)
	if os.Getenv("STOP") != "" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	ms, _ := strconv.Atoi(os.Getenv("DELAY"))
	sk, err := smtpsink.Count(time.Duration(ms)*time.Millisecond, nil)
	if err != nil { t.Fatal(err) }
	cfg, err := config.Load(append(s.env, "KITHLINE_BASE_URL=https://act.example.org", "KITHLINE_SMTP_URL=smtp://"+sk.Addr+"?tls=none", "KITHLINE_SMTP_CONNECTIONS="+conns))
	if err != nil { t.Fatal(err) }
	a, err := app.Build(ctx, cfg, app.Options{})
	if err != nil { t.Fatal(err) }
	defer a.Close()
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { _ = a.Deliveries.Run(run); close(done) }()
	for sk.Mails.Load() < int64(n) { time.Sleep(10 * time.Millisecond) }
	fmt.Printf("rate %.0f doubles %d\n", sk.Rate(), sk.Doubles())
	stop()
	<-done
}
