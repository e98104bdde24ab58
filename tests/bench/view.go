package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/valyala/fasthttp"
)

// view measures a petition's page as browsers ask for it, beside a server that does nothing but send the same bytes.
func (b *bench) view(ctx context.Context) error {
	s, err := b.newSite(ctx, "", 20)
	if err != nil {
		return err
	}
	server, err := b.serve(ctx, s)
	if err != nil {
		return err
	}
	get := func(_, _ int, req *fasthttp.Request) string {
		req.SetRequestURI("http://" + server.addr + "/petitions/" + s.petition.Slug)
		asBrowser(req)
		return ""
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	get(0, 0, req)
	if err := fasthttp.Do(req, res); err != nil {
		return err
	}
	body := append([]byte(nil), res.Body()...)
	plain, err := res.BodyUnbrotli()
	if err != nil {
		return err
	}
	whole := func(r *fasthttp.Response) error {
		if r.StatusCode() != fasthttp.StatusOK || string(r.Header.Peek("Content-Encoding")) != "br" || len(r.Body()) < len(body)*9/10 {
			return fmt.Errorf("status %d with %d bytes", r.StatusCode(), len(r.Body()))
		}
		return nil
	}
	file := filepath.Join(b.dir, "page.br")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return err
	}
	bare, err := b.contender(ctx, "serve-bytes", file)
	if err != nil {
		return err
	}
	var ours, limit rounds
	for range b.rounds {
		ours = append(ours, drive(ctx, server, b.conns, b.load, get, whole))
		limit = append(limit, drive(ctx, bare, b.conns, b.load, get, whole))
	}
	b.out.add(ours.line("view: a petition, brotli, 64 connections", ratio(ours.rate(), limit.rate())+" of the limit"))
	b.out.add(limit.line("  limit: a server that only sends these bytes", ""))
	b.out.note("the page: %s bytes, %s compressed; 20 people signed, 10 comments show", number(len(plain)), number(len(body)))
	if err := bare.stop(); err != nil {
		return err
	}
	return server.stop()
}

// asBrowser sets the headers that a browser sends with every page.
func asBrowser(req *fasthttp.Request) {
	h := &req.Header
	h.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	h.Set("Accept-Language", "en-US,en;q=0.5")
	h.Set("Accept-Encoding", "gzip, deflate, br")
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
}
