package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/valyala/fasthttp"
)

// viewShare is the promise about viewing: of what nginx does with the same bytes.
const viewShare = 0.5

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
	peer, err := b.nginx(ctx, "/petitions/"+s.petition.Slug, body)
	if err != nil {
		return err
	}
	var ours, limit, theirs rounds
	for range b.rounds {
		ours = append(ours, drive(ctx, server, b.conns, b.load, get, whole))
		limit = append(limit, drive(ctx, bare, b.conns, b.load, get, whole))
		if peer != nil {
			theirs = append(theirs, drive(ctx, peer, b.conns, b.load, get, whole))
		}
	}
	told := ratio(ours.rate(), limit.rate()) + " of the limit"
	if peer != nil {
		told = ratio(ours.rate(), theirs.rate()) + " of nginx, " + told + "; " + b.out.promise(ours.rate() >= viewShare*theirs.rate(), fmt.Sprintf("at least %.1f of nginx", viewShare))
	}
	b.out.add(ours.line("view: a petition, brotli, 64 connections", told))
	b.out.add(limit.line("  limit: a server that only sends these bytes", ""))
	if peer == nil {
		b.out.note("view: nginx is not here to be measured beside it")
	} else {
		b.out.add(theirs.line("  peer: nginx, these bytes as a file", ""))
		if err := peer.stop(); err != nil {
			return err
		}
	}
	b.out.note("the page: %s bytes, %s compressed; 20 people signed, 10 comments show", number(len(plain)), number(len(body)))
	if err := bare.stop(); err != nil {
		return err
	}
	return server.stop()
}

// nginx serves a body at a path as fast as it can, and returns nil where there is no nginx.
func (b *bench) nginx(ctx context.Context, at string, body []byte) (*process, error) {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // not here
	}
	dir, err := os.MkdirTemp(b.dir, "nginx-")
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(b.dir, 0o755), os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, filepath.Dir(at)), 0o755), //nolint:gosec // its workers are another user
		os.WriteFile(filepath.Join(dir, at), body, 0o644)); err != nil { //nolint:gosec // so
		return nil, err
	}
	conf := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/pid; error_log stderr error;
events { worker_connections 4096; }
http {
	access_log off; sendfile on; tcp_nopush on; open_file_cache max=10; keepalive_requests 100000000; default_type "text/html; charset=utf-8";
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen %[2]s; root %[1]s; location = /readyz { return 200; } location / { add_header Content-Encoding br; add_header Vary Accept-Encoding; } }
}`, dir, addr)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	p, err := b.launch(bin, os.Environ(), "-e", "stderr", "-p", dir, "-c", file)
	if err != nil {
		return nil, err
	}
	p.addr = addr
	return p, p.until(ctx, ready(addr))
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
