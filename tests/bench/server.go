package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// build makes the program as `make build` does.
func (b *bench) build(ctx context.Context) error {
	b.bin = filepath.Join(b.dir, "kithline")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.bin, "kithline")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// process is one program that runs.
type process struct {
	cmd   *exec.Cmd
	addr  string // host:port
	log   string // file of what it said
	ended chan error
}

// launch starts a program and returns at once. What it says goes into a file.
func (b *bench) launch(bin string, env []string, args ...string) (*process, error) {
	return b.launchIn("", bin, env, args...)
}

// launchIn is launch in a folder.
func (b *bench) launchIn(folder, bin string, env []string, args ...string) (*process, error) {
	f, err := os.CreateTemp(b.dir, "log-")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &process{log: f.Name(), ended: make(chan error, 1)}
	p.cmd = exec.Command(bin, args...) //nolint:noctx // it is stopped by stop, and by the kernel with us
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = folder, env, f, f
	p.cmd.SysProcAttr = withParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// until waits for done, looking every few milliseconds, and fails when the program ends or a minute passes before.
func (p *process) until(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !done() {
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("it ended: %w\n%s", err, p.said())
		case <-ctx.Done():
			return fmt.Errorf("not ready in time\n%s", p.said())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func (p *process) said() string {
	s := read(p.log)
	return s[max(0, len(s)-2000):]
}

// stop ends the program as an operator does, and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("%w\n%s", err, p.said())
		}
		return nil
	case <-time.After(40 * time.Second):
		return errors.Join(errors.New("it does not stop"), p.cmd.Process.Kill())
	}
}

// memory reads a line of /proc/PID/status in bytes: VmRSS is what it holds, VmHWM the most it held.
func (p *process) memory(name string) int {
	kb, _ := strconv.Atoi(strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), name), " kB"))
	return kb << 10
}

// freePort is a port that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// serve starts `kithline serve` for a site and returns once it is ready.
func (b *bench) serve(ctx context.Context, s *site, extra ...string) (*process, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := b.launch(b.bin, append(append([]string{"KITHLINE_LISTEN=" + addr, "KITHLINE_TRUSTED_PROXIES=127.0.0.1"}, s.env...), extra...), "serve")
	if err != nil {
		return nil, err
	}
	p.addr = addr
	return p, p.until(ctx, ready(addr))
}

// demo starts `kithline demo` in an empty folder and returns once its file says that it is ready.
func (b *bench) demo(ctx context.Context) (*process, error) {
	dir, err := os.MkdirTemp(b.dir, "demo-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "ready.json")
	p, err := b.launch(b.bin, []string{"HOME=" + dir}, "demo", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--ready-file", file)
	if err != nil {
		return nil, err
	}
	return p, p.until(ctx, func() bool {
		var r struct{ URL string }
		b, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(b, &r) == nil && r.URL != ""
	})
}

// hasDemo reports whether the program knows the command.
func (b *bench) hasDemo(ctx context.Context) bool {
	out, _ := exec.CommandContext(ctx, b.bin, "help").Output()
	return bytes.Contains(out, []byte("\n  demo "))
}

// ready asks /readyz.
func ready(addr string) func() bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return func() bool {
		res, err := client.Get("http://" + addr + "/readyz") //nolint:noctx // has a timeout
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
}
